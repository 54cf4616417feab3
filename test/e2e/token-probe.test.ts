import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import {
  type FaultyService,
  type FunctionFault,
  startOverFaultToken,
  whyNoFaultToken,
} from '../service/fault-token.js';

/*
 * What a worker offers is found out when it starts. A token that fails in that moment must not make it offer less for as
 * long as it lives; a token that cannot do something must not keep it from starting.
 */
const why = whyNoFaultToken();
if (why) console.warn(`SKIPPED: ${why}.`);
const withFaults = why ? describe.skip : describe;

/** CKR_GENERAL_ERROR, CKR_DEVICE_ERROR, CKR_DEVICE_MEMORY, CKR_SESSION_HANDLE_INVALID, one of a vendor's own. */
const ckr = { general: 5, device: 48, memory: 49, session: 179, vendor: 0x80000123 } as const;

withFaults('a start with a token that fails', () => {
  let faulty: FaultyService;
  /** spec usage algorithm -> where, as the log says at each start. */
  let usual: ReadonlyMap<string, string>;

  beforeAll(async () => {
    faulty = await startOverFaultToken();
    usual = await offered();
  });
  afterAll(() => faulty?.end());
  afterEach(() => faulty.fault.clear());

  /** What the worker at work offers: the log comes through a pipe, later than the service is ready perhaps. */
  async function offered(): Promise<Map<string, string>> {
    const [pid] = faulty.service.workers;
    await faulty.service.logged(new RegExp(`"pid":${pid},"spec":"SM2".*"msg":"capability"`));
    const lines = faulty.service.stderr.split('\n').slice(0, -1);
    const parsed = lines.filter((line) => line.includes('"msg":"capability"')).map((line) => JSON.parse(line));
    const ofLast = parsed.filter((line) => line.pid === pid);
    return new Map(ofLast.map(({ spec, usage, algorithm, where }) => [`${spec} ${usage} ${algorithm}`, where]));
  }

  const lost = async () => {
    const now = await offered();
    return [...usual].filter(([name, where]) => where !== now.get(name)).map(([name]) => name);
  };

  // few at a time, and none twice on the way of one algorithm: the last of four attempts decides
  test.each<FunctionFault[][]>([
    [
      [
        { on: 'C_Sign', return: ckr.device, next: 2 },
        { on: 'C_GenerateKey', return: ckr.memory, next: 1 },
        { on: 'C_DeriveKey', return: ckr.vendor, next: 1 },
      ],
    ],
    [
      [
        { on: 'C_GenerateKeyPair', return: ckr.general, next: 2 },
        { on: 'C_Verify', return: ckr.session, next: 1 },
        { on: 'C_Decrypt', return: ckr.general, skip: 1, next: 1 },
      ],
    ],
  ])('for a moment offers all: %j', async (faults) => {
    await faulty.service.stop();
    const failed = () => faults.map(({ on }) => faulty.fault.calls().get(on)?.faults ?? 0);
    const before = failed();
    await faulty.fault.set(...faults);
    await faulty.service.serve();
    expect(failed()).toEqual(faults.map(({ next = 0 }, place) => (before[place] ?? 0) + next));
    expect(await lost()).toEqual([]);
  });

  test.each([
    ['C_DeriveKey', ckr.general, 'KEY_AGREEMENT'],
    ['C_DeriveKey', ckr.vendor, 'KEY_AGREEMENT'],
  ] as const)('for ever, in a way that means that it cannot, offers the rest: %s %i', async (on, code, usage) => {
    await faulty.service.stop();
    await faulty.fault.set({ on, return: code });
    await faulty.service.serve();
    expect(await lost()).toEqual([...usual.keys()].filter((name) => name.includes(usage)));
  });

  test('for ever, and says nothing of what it can, is no start', async () => {
    await faulty.service.stop();
    for (const [on, code, said] of [
      ['C_Sign', ckr.device, 'CKR_DEVICE_ERROR \\(48\\)'],
      ['C_GenerateKeyPair', ckr.memory, 'CKR_DEVICE_MEMORY \\(49\\)'],
    ] as const) {
      await faulty.fault.set({ on, return: code });
      const sentence = `The token "hsm-kms" fails while it is tried out \\(\\w+ \\w+\\): ${said}\\. Look at the token`;
      await expect(faulty.service.serve()).rejects.toThrow(new RegExp(sentence));
      await faulty.fault.clear();
    }
    await faulty.service.serve();
    expect(await lost()).toEqual([]);
  });
});
