import { createReadStream } from 'node:fs';
import { join } from 'node:path';
import { storedStreams } from '../../audit/stream-files.js';
import { wholeLines } from '../../audit/whole-lines.js';

const recovery = '"eventName":"RecoverStream"';

interface Recovery {
  readonly stream?: string;
  readonly lastSequence?: number;
}

/** The streams that earlier supervisors have said to have ended by a crash, and the sequence of the last event of each. */
export async function announcedRecoveries(directory: string): Promise<Map<string, number>> {
  const announced = new Map<string, number>();
  for (const { kind, files } of storedStreams(directory)) {
    if (kind !== 'supervisor') continue;
    for (const { name } of files) {
      for await (const { line } of wholeLines(createReadStream(join(directory, name)))) {
        if (!line.includes(recovery)) continue;
        const { serviceEventDetails: details } = JSON.parse(line.toString()) as { serviceEventDetails?: Recovery };
        if (details?.stream !== undefined) announced.set(details.stream, details.lastSequence ?? 0);
      }
    }
  }
  return announced;
}
