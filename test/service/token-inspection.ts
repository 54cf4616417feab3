import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { cleanEnvironment, type Service, serviceNode } from './service.js';
import { testedToken } from './tested-token.js';

/** 'done', or the CK_RV that it was refused with. */
export type Outcome = 'done' | number;

/** One object of the token, and what came of every attempt to get its value. */
export interface InspectedObject {
  readonly class: 'public' | 'private' | 'secret';
  readonly label: string;
  /** CKA_ID, hexadecimal. */
  readonly id: string;
  /** Attribute without its CKA_ -> value, as the service left it and after all attempts; absent where it has none. */
  readonly before: Readonly<Record<string, boolean>>;
  readonly after: Readonly<Record<string, boolean>>;
  readonly allowedMechanisms: readonly number[];
  /** Protecting attribute -> setting it to a weaker value. */
  readonly weakened: Readonly<Record<string, Outcome>>;
  /** Use that the key does not have -> giving it that use. */
  readonly newUses: Readonly<Record<string, Outcome>>;
  /** Attribute that holds a secret -> reading it. */
  readonly values: Readonly<Record<string, Outcome>>;
  /** Mechanism -> C_WrapKey with a fresh wrapping key. */
  readonly wrapped: Readonly<Record<string, Outcome>>;
  readonly copies: Readonly<Record<string, { outcome: Outcome; sensitive?: boolean; extractable?: boolean }>>;
}

export interface TokenInspection {
  /** The same attempts on a key that may leave. */
  readonly control: { readonly value: Outcome; readonly wrapped: Readonly<Record<string, Outcome>> };
  /** Mechanisms that the token says can wrap, and those that were tried. */
  readonly wrappingMechanisms: readonly number[];
  readonly tried: readonly number[];
  readonly objects: readonly InspectedObject[];
}

/** Looks into the service's token past the service: another process, with the library and the user PIN. */
export async function inspectToken(service: Service): Promise<TokenInspection> {
  return JSON.parse(await pastTheService(service.dataDir, './inspect-token.mjs', {}));
}

/** What somebody does to a key behind the service's back; see change-object.mjs. */
interface ObjectChange {
  /** Its CKA_LABEL: of a KMS key the id. */
  readonly key: string;
  readonly plant?: true;
  readonly destroy?: true;
  /** CKA_ name -> value. */
  readonly set?: Readonly<Record<string, boolean>>;
}

/** Changes objects in the token past the service. */
export async function changeObject({ dataDir }: Pick<Service, 'dataDir'>, change: ObjectChange): Promise<void> {
  await pastTheService(dataDir, './change-object.mjs', change);
}

/** @returns what the program has printed */
async function pastTheService(dataDir: string, program: string, what: object): Promise<string> {
  const { pinFile, ...access } = testedToken.access(dataDir);
  if (!existsSync(pinFile)) throw new Error('the service has no token of its own');
  const child = spawn(serviceNode(), [fileURLToPath(new URL(program, import.meta.url))], {
    env: { ...cleanEnvironment(), SOFTHSM2_CONF: join(dataDir, 'softhsm2.conf') },
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  child.stdin.end(JSON.stringify({ ...access, ...what, pin: readFileSync(pinFile, 'utf8').trim() }));
  let text = '';
  child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
    text += chunk;
  });
  const [code] = await once(child, 'close');
  if (code !== 0) throw new Error(`${program} has failed (${code})`);
  return text;
}
