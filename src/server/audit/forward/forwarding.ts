import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { Logger } from 'pino';
import { parseCheckpointFileName } from '../../../audit/format.js';
import type { ForwardAddress } from '../../../config/audit-forward.js';
import { writePrivateFile } from '../../data-directory.js';
import { Forwarder, isForwarded, type Positions } from './forwarder.js';

/** Where it is remembered how far each destination has got. */
const positionsFile = 'forwarded.json';
/** After a crash no more than this is sent a second time, in milliseconds. */
const saveMilliseconds = 2_000;
/** How long the last events may hold up a service that ends, in milliseconds. */
const endMilliseconds = 2_000;

/** Forwards the audit log to all its destinations. */
export class Forwarding {
  private readonly forwarders: readonly Forwarder[];
  private readonly saving: NodeJS.Timeout;
  private saved = '';

  constructor(
    private readonly directory: string,
    addresses: readonly ForwardAddress[],
    private readonly log: Logger,
  ) {
    const known = readPositions(directory);
    this.forwarders = addresses.map((address) => {
      // a destination that is new gets what comes from now on
      const positions = known[address.text] ?? extents(directory);
      return new Forwarder(directory, address, positions, log);
    });
    for (const forwarder of this.forwarders) forwarder.start();
    this.saving = setInterval(() => this.save(), saveMilliseconds);
    this.saving.unref();
  }

  async end(): Promise<void> {
    clearInterval(this.saving);
    await Promise.all(this.forwarders.map((forwarder) => forwarder.end(endMilliseconds)));
    this.save();
  }

  private save(): void {
    const positions = Object.fromEntries(this.forwarders.map(({ address, positions }) => [address.text, positions]));
    const text = JSON.stringify(positions);
    if (text === this.saved) return;
    try {
      writePrivateFile(join(this.directory, positionsFile), text);
      this.saved = text;
    } catch (error) {
      this.log.warn({ err: error }, 'how far the audit log is forwarded cannot be written down');
    }
  }
}

function readPositions(directory: string): Readonly<Record<string, Positions>> {
  try {
    return JSON.parse(readFileSync(join(directory, positionsFile), 'utf8')) as Record<string, Positions>;
  } catch {
    return {};
  }
}

function extents(directory: string): Positions {
  const names = readdirSync(directory).filter(isForwarded);
  // of a log that has just begun, also what its making has left
  if (!names.some((name) => parseCheckpointFileName(name) !== undefined)) return {};
  return Object.fromEntries(names.map((name) => [name, statSync(join(directory, name)).size]));
}
