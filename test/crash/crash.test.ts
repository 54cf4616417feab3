import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeAll, expect, test } from '@jest/globals';
import Sqlite from 'better-sqlite3';
import { expectFreshBuild } from '../service/built-service.js';
import { reseal } from '../service/database.js';
import { CrashRun } from './crash-run.js';
import type { KeyModel } from './model.js';

const seed = 20_251;
let run: CrashRun;
beforeAll(expectFreshBuild);
afterEach(async () => {
  await run.end();
  rmSync(run.service.dataDir, { recursive: true });
});

test('nothing that a client was told of is lost by kill -9 of workers, supervisor and everything', async () => {
  run = await CrashRun.start({ seed });
  // more than once where the service starts slowly
  do await run.load(8_000);
  while (run.kills < 2 || run.answers <= 20);
  await run.destroyOrphans();
  await run.checkEverything();
  expect(run.losses).toEqual([]);
  expect(run.kills).toBeGreaterThan(1);
  expect(run.answers).toBeGreaterThan(20);
});

/** Changes behind the service's back, and what the model says of them. */
const sabotages: readonly {
  readonly title: string;
  readonly suits?: (key: KeyModel) => boolean;
  readonly statement: string;
  readonly loss: (key: KeyModel) => string;
}[] = [
  // what suits few keys chooses first
  {
    title: 'a grant that is gone',
    suits: ({ grants }) => (grants.certain ?? []).length > 0,
    statement: 'delete from grants where key_id = ?',
    loss: ({ id }) => `the grants of the key ${id} .* is \\[\\]`,
  },
  {
    title: 'an alias that is gone',
    suits: ({ id }) => [...run.model.aliases.values()].some(({ certain }) => certain === id),
    statement: 'delete from aliases where key_id = ?',
    loss: ({ id }) => `alias/.* is null, and clients were told "${id}"`,
  },
  {
    title: 'a ciphertext whose key material is gone',
    // a pair without material is a fault of the service to its clients, and asked for again
    suits: (key) =>
      key.request.KeySpec === 'SYMMETRIC_DEFAULT' &&
      run.model.artefacts.some((each) => each.kind === 'ciphertext' && each.key === key),
    statement: 'delete from key_materials where key_id = ?',
    loss: ({ id }) => `a ciphertext of the key ${id} .*: it was refused with `,
  },
  {
    title: 'a key that is gone',
    statement: 'delete from keys where id = ?',
    loss: ({ id }) => `the key ${id} .* is not there any more`,
  },
  {
    title: 'an older description',
    statement: `update keys set description = 'older' where id = ?`,
    loss: ({ id }) => `the description of the key ${id} .* is "older"`,
  },
  {
    title: 'a state that nobody asked for',
    statement: `update keys set state = 'Disabled' where id = ?`,
    loss: ({ id }) => `the state of the key ${id} .* is "Disabled"`,
  },
  {
    title: 'a tag that is gone',
    statement: `delete from tags where tag_key = 'made-by' and key_id = ?`,
    loss: ({ id }) => `the tags of the key ${id} .* is `,
  },
  {
    title: 'an older key policy',
    statement: `update keys set policy = replace(policy, '"Sid":"', '"Sid":"X') where id = ?`,
    loss: ({ id }) => `the key policy of the key ${id} .* is `,
  },
];

/** A key for each, and no key for two; undefined while the load has not made them. */
function victims(): KeyModel[] | undefined {
  const left = new Set(run.model.keys.values());
  const chosen = sabotages.map(({ suits = () => true }) => {
    const key = [...left].find((each) => each.state.certain === 'Enabled' && suits(each));
    if (key) left.delete(key);
    return key;
  });
  return chosen.includes(undefined) ? undefined : (chosen as KeyModel[]);
}

test('the model finds what is changed behind the service', async () => {
  run = await CrashRun.start({ seed });
  await run.loadInPeace(() => victims() !== undefined);
  await run.checkEverything();
  expect(run.losses).toEqual([]);
  const keys = victims() as KeyModel[];
  const database = new Sqlite(join(run.service.dataDir, 'hsm-kms.db'), { timeout: 10_000 });
  database.pragma('foreign_keys = ON');
  sabotages.forEach(({ statement }, index) => void database.prepare(statement).run(keys[index]?.id));
  database.close();
  reseal(run.service, '--all');
  await run.checkEverything();
  for (const [index, { loss }] of sabotages.entries()) {
    expect(run.losses).toContainEqual(expect.stringMatching(loss(keys[index] as KeyModel)));
  }
});
