import * as sdk from '@aws-sdk/client-kms';

/** What the AWS SDK hands to the network, as far as it is needed here. */
class SignedRequest extends Error {
  /** @param {{ method: string, path: string, headers: Record<string, string>, body: string | Uint8Array }} request */
  constructor(request) {
    super('kept, not sent');
    this.request = request;
  }
}

/**
 * Makes requests of the AWS SDK for JavaScript as bytes instead of sending them: the load is exactly what an unmodified
 * client sends, and costs the load generator nothing but the writing. A signature is good for five minutes, any number
 * of times.
 *
 * @param {{ endpoint: string, credentials: { accessKeyId: string, secretAccessKey: string } }} service
 * @returns {(operation: string, input: object) => Promise<Buffer>}
 */
export function requestSigner({ endpoint, credentials }) {
  const client = new sdk.KMSClient({
    endpoint,
    credentials,
    region: 'us-east-1',
    maxAttempts: 1,
    requestHandler: {
      handle: async (/** @type {SignedRequest['request']} */ request) => {
        throw new SignedRequest(request);
      },
    },
  });
  return async (operation, input) => {
    try {
      await client.send(commandOf(operation, input));
    } catch (thrown) {
      if (thrown instanceof SignedRequest) return bytesOf(thrown.request);
      throw thrown;
    }
    throw new Error('the SDK sent no request');
  };
}

/** @param {SignedRequest['request']} request */
function bytesOf({ method, path, headers, body }) {
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
  return Buffer.concat([
    Buffer.from(`${method} ${path} HTTP/1.1\r\n${lines.join('')}connection: keep-alive\r\n\r\n`, 'latin1'),
    // Buffer.from(body) would ask the SDK's body for its string first, which it warns of
    typeof body === 'string' ? Buffer.from(body) : Buffer.from(body.buffer, body.byteOffset, body.byteLength),
  ]);
}

/** The SDK has a class per operation: SignCommand for Sign. @param {string} operation @param {object} input */
function commandOf(operation, input) {
  const Command = Object.entries(sdk).find(([name]) => name === `${operation}Command`)?.[1];
  if (Command === undefined) throw new Error(`the SDK does not know ${operation}`);
  return new /** @type {typeof sdk.EncryptCommand} */ (Command)(/** @type {sdk.EncryptCommandInput} */ (input));
}
