import { createReadStream } from 'node:fs';
import { join } from 'node:path';
import { storedStreams } from '../../audit/stream-files.js';
import { wholeLines } from '../../audit/whole-lines.js';

const recovery = '"eventName":"RecoverStream"';

/** The streams that earlier supervisors have said to have ended by a crash. */
export async function announcedRecoveries(directory: string): Promise<Set<string>> {
  const announced = new Set<string>();
  for (const { kind, files } of storedStreams(directory)) {
    if (kind !== 'supervisor') continue;
    for (const { name } of files) {
      for await (const { line } of wholeLines(createReadStream(join(directory, name)))) {
        if (!line.includes(recovery)) continue;
        const { serviceEventDetails } = JSON.parse(line.toString()) as { serviceEventDetails?: { stream?: string } };
        if (serviceEventDetails?.stream !== undefined) announced.add(serviceEventDetails.stream);
      }
    }
  }
  return announced;
}
