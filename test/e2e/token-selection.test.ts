import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { softHsmConfiguration, softHsmModule } from '../../src/token/softhsm.js';
import { mainModule } from '../service/built-service.js';
import { ended } from '../service/ended-command.js';
import { makeToken } from '../service/further-token.js';
import { cleanEnvironment, serviceNode } from '../service/service.js';
import { patience, until } from '../service/within.js';

interface ShownToken {
  readonly label: string;
  readonly serialNumber: string;
  readonly slotId: number;
  readonly initialised: boolean;
}

const pins = { one: 'pin of one', two: 'pin of two' } as const;
/** Two tokens of one module. */
let directory: string;
let tokens: Readonly<Record<'one' | 'two', ShownToken>>;
/** With `one` as its token. */
let dataDir: string;

const module = softHsmModule();

async function run(
  parameters: readonly string[],
  environment: Readonly<Record<string, string>> = {},
): Promise<{ code: number | null; output: string }> {
  const child = spawn(serviceNode(), [mainModule, ...parameters], {
    env: { ...cleanEnvironment(), SOFTHSM2_CONF: join(directory, 'softhsm2.conf'), ...environment },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  return ended(child);
}

const inModule = { HSM_KMS_PKCS11_MODULE: module };
const listed = async (): Promise<ShownToken[]> =>
  JSON.parse((await run(['token', 'list', '--json', '--data-dir', dataDir], inModule)).output).tokens;
const init = (environment: Readonly<Record<string, string>>) => run(['init', '--data-dir', dataDir], environment);

/** Process ids (Linux). */
function childrenOf(pid: number): string[] {
  return readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').split(' ').filter(Boolean);
}

function pinFile(name: keyof typeof pins): string {
  const file = join(directory, `pin-${name}`);
  writeFileSync(file, `${pins[name]}\n`, { mode: 0o600 });
  return file;
}

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'hsm-kms-selection-'));
  dataDir = join(directory, 'data');
  mkdirSync(join(directory, 'tokens'));
  writeFileSync(join(directory, 'softhsm2.conf'), softHsmConfiguration(join(directory, 'tokens')));
  await makeToken(directory, 'one', pins.one);
  await makeToken(directory, 'two', pins.two);
  const [one, two] = ['one', 'two'].map(async (name) => (await listed()).find(({ label }) => label === name));
  tokens = { one: (await one)!, two: (await two)! };
});
afterAll(() => rmSync(directory, { recursive: true, force: true }));

test('token list shows every slot, and asks for no PIN', async () => {
  expect((await listed()).filter(({ initialised }) => initialised)).toHaveLength(2);
  const { code, output } = await run(['token', 'list', '--data-dir', dataDir], inModule);
  expect(code).toBe(0);
  for (const { label, serialNumber, slotId } of Object.values(tokens)) {
    expect(output).toMatch(new RegExp(`^ *${slotId} +${label} +${serialNumber} +SoftHSM project`, 'm'));
    expect(output).toContain(`pkcs11:token=${label};serial=${serialNumber}`);
  }
});

describe('the token is chosen', () => {
  const pinOfOne = () => ({ HSM_KMS_TOKEN_PIN_FILE: pinFile('one') });

  test.each<[string, () => Record<string, string>]>([
    ['by its label', () => ({ ...inModule, HSM_KMS_TOKEN_LABEL: 'one', ...pinOfOne() })],
    ['by its serial number', () => ({ ...inModule, HSM_KMS_TOKEN_SERIAL: tokens.one.serialNumber, ...pinOfOne() })],
    [
      'by a URI that says everything',
      () => ({
        HSM_KMS_TOKEN_URI: `pkcs11:manufacturer=SoftHSM%20project;slot-manufacturer=SoftHSM%20project;library-manufacturer=SoftHSM;slot-id=${tokens.one.slotId};serial=${tokens.one.serialNumber}?module-path=${module}&pin-source=file:${pinFile('one')}`,
      }),
    ],
    [
      'by a URI with the name of the module and its directory',
      () => ({
        HSM_KMS_TOKEN_URI: `pkcs11:token=one?module-path=${dirname(module)}&module-name=${basename(module, '.so')}`,
        ...pinOfOne(),
      }),
    ],
    [
      'with its PIN in the environment',
      () => ({ ...inModule, HSM_KMS_TOKEN_LABEL: 'one', HSM_KMS_TOKEN_PIN: pins.one }),
    ],
  ])('%s', async (_how, environment) => {
    const { code, output } = await init(environment());
    expect(output).not.toContain(pins.one);
    expect({ code, output }).toMatchObject({ code: 0 });
  });

  test.each<[string, () => Record<string, string>, RegExp]>([
    [
      'by a label that none has: the tokens are listed',
      () => ({ ...inModule, HSM_KMS_TOKEN_LABEL: 'three', ...pinOfOne() }),
      /No token has the label "three"; the module shows "\w+" \(serial number [0-9a-f]{16}, slot \d+\), "\w+" \(serial/,
    ],
    [
      'by a label and the serial number of the other',
      () => ({ ...inModule, HSM_KMS_TOKEN_LABEL: 'one', HSM_KMS_TOKEN_SERIAL: tokens.two.serialNumber, ...pinOfOne() }),
      /No token has the label "one" and the serial number "[0-9a-f]{16}"; the module shows/,
    ],
    [
      'by what both have',
      () => ({ ...inModule, HSM_KMS_TOKEN_URI: 'pkcs11:model=SoftHSM%20v2', ...pinOfOne() }),
      /More than one token has the model "SoftHSM v2": "\w+" \(serial number .+\), "\w+" \(.+\)\. Choose one by its serial/,
    ],
    [
      'by nothing',
      () => ({ ...inModule, HSM_KMS_TOKEN_URI: 'pkcs11:', ...pinOfOne() }),
      /More than one token has what is asked for: "/,
    ],
    [
      'by the version of another library',
      () => ({ ...inModule, HSM_KMS_TOKEN_URI: 'pkcs11:token=one;library-version=1', ...pinOfOne() }),
      /No token has the label "one" and the library version "1"; the module shows/,
    ],
    [
      'in a module that is not there',
      () => ({ HSM_KMS_TOKEN_URI: 'pkcs11:token=one?module-name=nowhere', ...pinOfOne() }),
      /The PKCS#11 module nowhere is not in .+: name its file by HSM_KMS_PKCS11_MODULE/,
    ],
    [
      'with two PINs',
      () => ({ ...inModule, HSM_KMS_TOKEN_LABEL: 'one', HSM_KMS_TOKEN_PIN: pins.one, ...pinOfOne() }),
      /PIN comes from two places, HSM_KMS_TOKEN_PIN_FILE and HSM_KMS_TOKEN_PIN: leave out one of them/,
    ],
    [
      'that the data directory was not made with',
      () => ({ ...inModule, HSM_KMS_TOKEN_SERIAL: tokens.two.serialNumber, HSM_KMS_TOKEN_PIN_FILE: pinFile('two') }),
      /The token "two" \(serial number .+\) is not the one that .+ was made with/,
    ],
  ])('not %s', async (_how, environment, sentence) => {
    const { code, output } = await init(environment());
    expect(output).toMatch(sentence);
    expect(output.trim().split('\n')).toEqual([expect.stringMatching(/^hsm-kms: .+\.$/)]);
    expect(code).toBe(1);
  });

  test('by its label when two have it: the serial number then decides', async () => {
    await makeToken(directory, 'two', 'another pin');
    const byLabel = { ...inModule, HSM_KMS_TOKEN_LABEL: 'two', HSM_KMS_TOKEN_PIN_FILE: pinFile('two') };
    const { output } = await run(['token', 'describe', '--data-dir', dataDir], byLabel);
    expect(output).toMatch(
      /More than one token has the label "two": "two" \(serial number .+\), "two" \(serial number/,
    );
    const { code } = await run(['token', 'describe', '--data-dir', dataDir], {
      ...byLabel,
      HSM_KMS_TOKEN_SERIAL: tokens.two.serialNumber,
    });
    expect(code).toBe(0);
  });
});

describe('a PIN in the environment', () => {
  const environment = () => ({ ...inModule, HSM_KMS_TOKEN_LABEL: 'one', HSM_KMS_TOKEN_PIN: pins.one });

  test('has no flag, and config does not print it', async () => {
    const { code, output } = await run(['config', '--data-dir', dataDir], environment());
    expect(code).toBe(0);
    expect(output).toContain('# the PIN is in the environment variable HSM_KMS_TOKEN_PIN');
    expect(output).not.toContain(pins.one);
    const flag = await run(['config', '--token-pin', pins.one]);
    expect(flag.code).not.toBe(0);
    expect(flag.output).toMatch(/unknown option '--token-pin'/);
  });

  test('reaches the workers, and is in the environment of no process but the first', async () => {
    const parameters = [mainModule, 'serve', '--init', '--data-dir', dataDir, '--port', '0', '--workers', '2'];
    const service = spawn(serviceNode(), [...parameters, '--log-level', 'debug'], {
      env: { ...cleanEnvironment(), SOFTHSM2_CONF: join(directory, 'softhsm2.conf'), ...environment() },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    try {
      let output = '';
      service.stderr.on('data', (chunk) => {
        output += chunk;
      });
      const listening = new Promise<void>((resolve, reject) => {
        service.stdout.on('data', (chunk) => {
          output += chunk;
          if (/listening on/.test(output)) resolve();
        });
        service.once('exit', () => reject(new Error(output)));
        setTimeout(() => reject(new Error(`it does not start: ${output}`)), patience).unref();
      });
      await listening;
      const supervisor = service.pid!;
      const workers = childrenOf(supervisor);
      expect(workers).toHaveLength(2);
      const readable = (pid: number | string) =>
        ['environ', 'cmdline'].filter((file) => readFileSync(`/proc/${pid}/${file}`).includes(pins.one));
      expect(workers.flatMap(readable)).toEqual([]);
      // what a process was started with cannot be taken back
      expect(readable(supervisor)).toEqual(['environ']);
      expect(output).not.toContain(pins.one);
      // a worker that is replaced gets it as well
      process.kill(Number(workers[0]), 'SIGKILL');
      const isReplaced = () =>
        childrenOf(supervisor).some((pid) => !workers.includes(pid) && output.includes(`"pid":${pid},`));
      await until('it is replaced', isReplaced);
    } finally {
      service.kill('SIGTERM');
      await once(service, 'exit');
    }
  });
});
