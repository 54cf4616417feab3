import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { copyFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import type { EvidenceBundle, KeyEvidence, Verdict } from '../../src/evidence/bundle.js';
import { mainModule } from './built-service.js';
import { cleanEnvironment, serviceEnvironment, serviceNode } from './service.js';

interface Printed {
  readonly code: number | null;
  readonly output: string;
  readonly errors: string;
}

async function run(environment: NodeJS.ProcessEnv, parameters: readonly string[]): Promise<Printed> {
  const child = spawn(serviceNode(), [mainModule, 'evidence', ...parameters], {
    env: environment,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const closed = once(child, 'close');
  const [output, errors] = await Promise.all([text(child.stdout), text(child.stderr)]);
  const [code] = await closed;
  return { code, output, errors };
}

/** `hsm-kms evidence` over a data directory. */
export const evidence = (dataDir: string, ...parameters: string[]): Promise<Printed> =>
  run(serviceEnvironment(dataDir), [...parameters, '--data-dir', dataDir]);

/** The same for what needs no data directory: on another machine. */
export const evidenceElsewhere = (...parameters: string[]): Promise<Printed> => run(cleanEnvironment(), parameters);

/** A bundle, and the certificate that it is to be trusted by, in files. */
export interface MadeBundle {
  readonly bundle: EvidenceBundle;
  readonly file: string;
  readonly trust: string;
}

/** Makes a bundle, to be trusted by the certificate that is installed. @throws Error with what was printed */
export async function makeEvidence(dataDir: string, directory: string, ...parameters: string[]): Promise<MadeBundle> {
  const made = await evidence(dataDir, ...parameters);
  if (made.code !== 0) throw new Error(`hsm-kms evidence failed: ${made.errors}`);
  const [file, trust] = [join(directory, 'bundle.json'), join(directory, 'certificate.pem')];
  writeFileSync(file, made.output);
  copyFileSync(join(dataDir, 'evidence-certificate.pem'), trust);
  return { bundle: JSON.parse(made.output), file, trust };
}

/** The verdicts on a key by claim. */
export const verdictsOn = ({ claims }: Pick<KeyEvidence, 'claims'>): Record<string, Verdict> =>
  Object.fromEntries(claims.map(({ claim, verdict }) => [claim, verdict]));
