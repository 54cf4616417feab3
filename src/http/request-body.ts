import type { IncomingMessage } from 'node:http';
import { KmsError } from '../contract/kms-error.js';

/**
 * The raw bytes of a request's body.
 *
 * @param mostBytes longest body that is kept; a longer one is received to its end and dropped, so that the client reads
 * the answer instead of a broken connection
 * @throws KmsError RequestEntityTooLargeException; undefined is returned when the client went away
 */
export function readBody(request: IncomingMessage, mostBytes: number): Promise<Buffer | undefined> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let bytes = 0;
    request.on('data', (chunk: Buffer) => {
      bytes += chunk.length;
      if (bytes <= mostBytes) chunks.push(chunk);
      else chunks.length = 0;
    });
    request.on('end', () => {
      if (bytes <= mostBytes) resolve(chunks.length === 1 ? (chunks[0] as Buffer) : Buffer.concat(chunks, bytes));
      else {
        reject(new KmsError('RequestEntityTooLargeException', `The request body is larger than ${mostBytes} bytes.`));
      }
    });
    request.on('close', () => resolve(undefined));
    request.on('error', () => resolve(undefined));
  });
}
