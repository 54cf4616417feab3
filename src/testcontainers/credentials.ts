import { buffer } from 'node:stream/consumers';
import type { StartedTestContainer } from 'testcontainers';
import type { HsmKmsCredentials } from './started-container.js';

/**
 * The first administrator's, from the file that the service has made for them: copied out of the container and not
 * printed in it, as what commands print can be logged.
 *
 * @param dataDirectory in the container
 * @throws Error
 */
export async function credentialsIn(
  container: StartedTestContainer,
  dataDirectory: string,
): Promise<HsmKmsCredentials> {
  const text = fileInTar(await buffer(await container.copyArchiveFromContainer(`${dataDirectory}/credentials`)));
  const accessKeyId = settingIn(text, 'aws_access_key_id');
  const secretAccessKey = settingIn(text, 'aws_secret_access_key');
  if (accessKeyId === undefined || secretAccessKey === undefined) {
    throw new Error(`The file ${dataDirectory}/credentials in the container holds no credentials.`);
  }
  return { accessKeyId, secretAccessKey };
}

/** Size of a tar header, in bytes; the file follows it. */
const headerBytes = 512;

/** The one file of a tar archive. */
function fileInTar(archive: Buffer): string {
  const size = Number.parseInt(archive.toString('latin1', 124, 136), 8);
  return archive.toString('utf8', headerBytes, headerBytes + size);
}

function settingIn(text: string, name: string): string | undefined {
  return new RegExp(`^${name} = (\\S+)$`, 'm').exec(text)?.[1];
}
