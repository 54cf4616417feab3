import { setTimeout as wait } from 'node:timers/promises';
import {
  type AliasListEntry,
  type KeyListEntry,
  type KMS,
  paginateListAliases,
  paginateListKeys,
} from '@aws-sdk/client-kms';
import { importInto } from '../service/byok.js';
import { answered } from './answers.js';
import { checkArtefact } from './artefacts.js';
import { LossError, UnansweredError } from './facet.js';
import type { Alias, Artefact, KeyModel, Model } from './model.js';

/** Requests that are under way together. */
const concurrency = 6;
/** How often, and after which pause in milliseconds, what was not answered is asked again: workers are replaced meanwhile. */
const patience = { attempts: 400, milliseconds: 250 } as const;

/** Does something with each, some at a time. What is lost is told, and the rest goes on. */
async function each<T>(
  all: readonly T[],
  told: (loss: LossError) => void,
  work: (one: T) => Promise<void>,
): Promise<void> {
  const left = [...all];
  const lane = async () => {
    for (let one = left.pop(); one !== undefined; one = left.pop()) {
      try {
        await patiently(work, one);
      } catch (error) {
        if (!(error instanceof LossError)) throw error;
        told(error);
      }
    }
  };
  await Promise.all(Array.from({ length: concurrency }, lane));
}

async function patiently<T>(work: (one: T) => Promise<void>, one: T): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await work(one);
    } catch (error) {
      if (!(error instanceof UnansweredError)) throw error;
      if (attempt === patience.attempts) throw new LossError(`the service does not answer any more: ${error.message}`);
    }
    await wait(patience.milliseconds);
  }
}

/** What of the model is looked at. */
export interface Sample {
  readonly keys: readonly KeyModel[];
  readonly aliases: readonly Alias[];
  readonly artefacts: readonly Artefact[];
}

/** Everything there is. */
export const everything = ({ keys, aliases, artefacts }: Model): Sample => ({
  keys: [...keys.values()],
  aliases: [...aliases.values()],
  artefacts,
});

/**
 * Compares what the service shows with what its clients were told, while no client asks for anything: which keys and
 * aliases there are, and all about some of them and of what was made with them.
 *
 * @param lost is told every difference
 */
export async function check(kms: KMS, model: Model, sample: Sample, lost: (loss: LossError) => void): Promise<void> {
  await each(['keys'], lost, () => checkKeyList(kms, model, lost));
  await each(['aliases'], lost, () => checkAliasList(kms, model, lost));
  // the list and what they resolve to say the same
  await each(sample.aliases, lost, async (alias) => void (await alias.look(kms)));
  await each(sample.keys, lost, async (key) => {
    if (!model.keys.has(key.id)) return;
    for (const facet of key.facets()) await facet.look(kms);
  });
  const usable = sample.artefacts.filter(({ key }) => key.state.certain === 'Enabled' && model.keys.has(key.id));
  await each(usable, lost, (artefact) => checkArtefact(kms, artefact));
}

/** Makes every key usable again, so that everything can be tried. @param lost is told every difference */
export async function revive(kms: KMS, model: Model, lost: (loss: LossError) => void): Promise<void> {
  await each([...model.keys.values()], lost, async (key) => {
    const KeyId = key.id;
    const state = key.state.certain ?? (await key.state.look(kms));
    if (state === 'Enabled') return;
    if (state === 'PendingDeletion') await answered(kms.cancelKeyDeletion({ KeyId }));
    if (state === 'PendingImport') {
      if (key.material === undefined) return;
      await answered(importInto({ kms }, KeyId, key.material));
    } else await answered(kms.enableKey({ KeyId }));
    key.state.becomes('Enabled');
  });
}

async function checkKeyList(kms: KMS, model: Model, lost: (loss: LossError) => void): Promise<void> {
  const listed = new Set<string>();
  const pages = paginateListKeys({ client: kms, pageSize: 1000 }, {});
  for (const { KeyId = '' } of await all<KeyListEntry>(pages, 'Keys')) listed.add(KeyId);
  for (const key of model.keys.values()) {
    if (listed.has(key.id)) continue;
    model.keys.delete(key.id);
    lost(new LossError(`the key ${key.id} (${key.request.KeySpec}) is not there any more`));
  }
  for (const id of listed) {
    if (model.keys.has(id)) continue;
    const { KeyMetadata } = await answered(kms.describeKey({ KeyId: id }));
    const { Description = '' } = KeyMetadata ?? {};
    const request = model.unansweredKeys.get(Description);
    if (request === undefined) {
      lost(new LossError(`there is a key ${id} that nobody asked for`));
      continue;
    }
    model.unansweredKeys.delete(Description);
    await lookAtNewKey(kms, model.add(id, request));
  }
}

/** A key of whose making nobody was told is whole. */
async function lookAtNewKey(kms: KMS, key: KeyModel): Promise<void> {
  for (const facet of key.facets()) await facet.look(kms);
  if (key.request.KeySpec === 'SYMMETRIC_DEFAULT' && key.request.Origin === 'AWS_KMS') {
    await answered(kms.generateDataKeyWithoutPlaintext({ KeyId: key.id, KeySpec: 'AES_256' }));
  }
}

async function checkAliasList(kms: KMS, model: Model, lost: (loss: LossError) => void): Promise<void> {
  const pages = paginateListAliases({ client: kms, pageSize: 100 }, {});
  const targets = new Map(
    (await all<AliasListEntry>(pages, 'Aliases')).map((each) => [each.AliasName, each.TargetKeyId]),
  );
  for (const name of targets.keys()) {
    if (!model.aliases.has(name ?? '')) lost(new LossError(`there is an alias ${name} that nobody asked for`));
  }
  for (const [name, alias] of model.aliases) {
    try {
      alias.found(targets.get(name) ?? null);
    } catch (error) {
      if (!(error instanceof LossError)) throw error;
      lost(error);
    }
  }
}

/** The entries of all pages. */
async function all<E>(pages: AsyncIterable<object>, member: string): Promise<E[]> {
  const entries: E[] = [];
  const iterator = pages[Symbol.asyncIterator]();
  for (let page = await answered(iterator.next()); !page.done; page = await answered(iterator.next())) {
    entries.push(...((page.value as Record<string, E[] | undefined>)[member] ?? []));
  }
  return entries;
}
