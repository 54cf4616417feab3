import { createHash, createPublicKey, verify } from 'node:crypto';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { hsmKms, type Service } from './service.js';

/** The parts of a record that tests look at. */
export interface AuditEvent {
  readonly eventName: string;
  readonly eventSource: string;
  readonly eventType: string;
  readonly eventTime: string;
  readonly eventID: string;
  readonly requestID?: string;
  readonly errorCode?: string;
  readonly errorMessage?: string;
  readonly userIdentity: Readonly<Record<string, unknown>>;
  readonly requestParameters: Readonly<Record<string, unknown>> | null;
  readonly responseElements: Readonly<Record<string, unknown>> | null;
  readonly additionalEventData?: Readonly<Record<string, unknown>>;
  readonly resources?: readonly { readonly ARN: string }[];
  readonly readOnly: boolean;
  readonly serviceEventDetails?: Readonly<Record<string, unknown>>;
  readonly integrity: { readonly stream: string; readonly sequence: number; readonly previous: string };
}

interface Head {
  readonly stream: string;
  readonly sequence: number;
  readonly hash: string;
  readonly file: string;
  readonly bytes: number;
}

export interface Checkpoint {
  readonly log: string;
  readonly sequence: number;
  readonly previous: string;
  readonly heads: readonly Head[];
  readonly keyId: string;
}

/** Events of one name that commands have written, wherever they were in their streams. */
export const commandEvents = (dataDir: string, name: string) =>
  readEvents(join(dataDir, 'audit')).filter(({ eventName }) => eventName === name);

export const auditDirectory = (service: Service) => join(service.dataDir, 'audit');
const sha256 = (data: string | Buffer) => createHash('sha256').update(data).digest('hex');
const start = '0'.repeat(64);

/** Names of the streams' files, in their order. */
export function streamFiles(directory: string): string[] {
  if (!existsSync(directory)) return [];
  return readdirSync(directory)
    .filter((name) => /^\d.*\.\d{6}\.jsonl$/.test(name))
    .sort();
}

function linesOf(path: string): string[] {
  return readFileSync(path, 'utf8').split('\n').slice(0, -1);
}

/** All events of a directory, the streams one after the other, each followed along its chain. @throws Error where it breaks */
export function readEvents(directory: string): AuditEvent[] {
  const ends = new Map<string, { sequence: number; previous: string }>();
  return streamFiles(directory).flatMap((file) =>
    linesOf(join(directory, file)).map((line) => {
      const event = JSON.parse(line) as AuditEvent;
      const { stream, sequence, previous } = event.integrity;
      // the first file of a stream may have been removed
      const end = ends.get(stream) ?? (file.endsWith('.000001.jsonl') ? { sequence: 0, previous: start } : undefined);
      if (!file.startsWith(stream)) throw new Error(`${file} holds an event of ${stream}`);
      if (end && (sequence !== end.sequence + 1 || previous !== end.previous)) {
        throw new Error(`the chain of ${file} breaks at ${sequence}`);
      }
      ends.set(stream, { sequence, previous: sha256(line) });
      return event;
    }),
  );
}

/** What clients asked for. */
export function requestEvents(service: Service): AuditEvent[] {
  return readEvents(auditDirectory(service)).filter(({ eventType }) => eventType === 'AwsApiCall');
}

/** What the service did by itself, of a name. */
export function serviceEvents(service: Service, name: string): AuditEvent[] {
  return readEvents(auditDirectory(service)).filter((event) => event.eventName === name && event.serviceEventDetails);
}

/** The public key that `hsm-kms audit public-key` prints. */
export async function auditPublicKey(service: Service): Promise<string> {
  const { code, output } = await hsmKms('audit', 'public-key', '--data-dir', service.dataDir);
  if (code !== 0) throw new Error(output);
  return output;
}

/** The checkpoints, each verified with the public key and followed along their chain. @throws Error where it breaks */
export function readCheckpoints(directory: string, publicKey: string): Checkpoint[] {
  const key = createPublicKey(publicKey);
  const keyId = sha256(key.export({ type: 'spki', format: 'der' }));
  const names = readdirSync(directory).filter((name) => name.startsWith('checkpoints.'));
  let previous = start;
  return names
    .sort()
    .flatMap((name) => linesOf(join(directory, name)))
    .map((line, index) => {
      const [, text = '', signature = ''] = /^\{"checkpoint":(.*),"signature":"([^"]+)"\}$/.exec(line) ?? [];
      const checkpoint = JSON.parse(text) as Checkpoint;
      const signed = Buffer.from(`hsm-kms audit checkpoint 1\n${text}`);
      if (!verify('sha256', signed, key, Buffer.from(signature, 'base64')))
        throw new Error(`a signature is wrong: ${line}`);
      const isNext =
        checkpoint.sequence === index + 1 && checkpoint.previous === previous && checkpoint.keyId === keyId;
      if (!isNext) throw new Error(`the chain of checkpoints breaks at ${line}`);
      previous = sha256(line);
      return checkpoint;
    });
}

/** Bytes of streams that no checkpoint covers, by the file's name. @throws Error when a head is not in its file */
export function uncoveredBytes(directory: string, checkpoints: readonly Checkpoint[]): Record<string, number> {
  const heads = new Map(checkpoints.flatMap((each) => each.heads).map((head) => [head.stream, head]));
  const uncovered: Record<string, number> = {};
  for (const { heads: each } of checkpoints) for (const head of each) expectInFile(directory, head);
  for (const file of streamFiles(directory)) {
    const head = heads.get(file.replace(/\.\d{6}\.jsonl$/, ''));
    const bytes = readFileSync(join(directory, file)).length;
    const covered = head === undefined || file > head.file ? 0 : file === head.file ? head.bytes : bytes;
    if (covered !== bytes) uncovered[file] = bytes - covered;
  }
  return uncovered;
}

function expectInFile(directory: string, { stream, sequence, hash, file, bytes }: Head): void {
  if (!existsSync(join(directory, file))) return;
  const line = readFileSync(join(directory, file)).subarray(0, bytes).toString().split('\n').at(-2) ?? '';
  const { integrity } = JSON.parse(line) as AuditEvent;
  if (sha256(line) !== hash || integrity.sequence !== sequence || integrity.stream !== stream) {
    throw new Error(`the head ${sequence} of ${stream} is not in ${file} at ${bytes}`);
  }
}
