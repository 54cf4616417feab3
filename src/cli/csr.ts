import type { Command } from 'commander';
import { addClientOptions, clientOf } from './client/client-options.js';

interface CsrOptions {
  readonly key: string;
  readonly subject: string;
  readonly san?: readonly string[];
  readonly algorithm?: string;
}

export function addCsrCommand(program: Command): void {
  const command = program
    .command('csr')
    .description('print a certification request (PKCS#10) in PEM, signed by a key through the running service')
    .requiredOption('--key <key>', 'key id, key ARN, alias/NAME or alias ARN of a key for SIGN_VERIFY')
    .requiredOption('--subject <name>', 'as in "CN=app.example.com, O=Example, C=DE"')
    .option('--san <names...>', 'alternative names: DNS:app.example.com,IP:192.0.2.1')
    .option('--algorithm <name>', 'signing algorithm by its name in KMS: RSASSA_PSS_SHA_256 ...');
  addClientOptions(command).action(async (options) => {
    const { key, subject, san, algorithm } = options as CsrOptions;
    const [{ makeCertificationRequest, subjectOf }, { toPem }, { keySigner }] = await Promise.all([
      import('../certificates/certification-request.js'),
      import('../certificates/pem.js'),
      import('./client/key-signer.js'),
    ]);
    const about = subjectOf(subject, san);
    const signer = await keySigner(await clientOf(options), key, algorithm);
    process.stdout.write(toPem('CERTIFICATE REQUEST', await makeCertificationRequest(about, signer)));
  });
}
