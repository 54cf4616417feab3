import type { KMS } from '@aws-sdk/client-kms';
import { describe, expect, test } from '@jest/globals';
import { Facet, LossError, takeAll } from './facet.js';

const kms = {} as KMS;
/** A thing that the service shows as it is told. */
function facetOf(told: string, shown: { value: string }) {
  return new Facet('the colour', told, async () => shown.value);
}

describe('what clients were told', () => {
  test.each([
    { shown: 'old', told: 'nothing more', changes: () => {}, isLoss: false },
    { shown: 'other', told: 'nothing more', changes: () => {}, isLoss: true },
    { shown: 'new', told: 'of the change', changes: (facet: Facet<string>) => facet.becomes('new'), isLoss: false },
    { shown: 'old', told: 'of the change', changes: (facet: Facet<string>) => facet.becomes('new'), isLoss: true },
    { shown: 'old', told: 'nothing of it', changes: (facet: Facet<string>) => facet.mayBecome('new'), isLoss: false },
    { shown: 'new', told: 'nothing of it', changes: (facet: Facet<string>) => facet.mayBecome('new'), isLoss: false },
    { shown: 'half', told: 'nothing of it', changes: (facet: Facet<string>) => facet.mayBecome('new'), isLoss: true },
  ])('$shown after clients were told $told: loss $isLoss', async ({ shown, changes, isLoss }) => {
    const facet = facetOf('old', { value: shown });
    changes(facet);
    if (isLoss) await expect(facet.look(kms)).rejects.toThrow(LossError);
    else expect(await facet.look(kms)).toBe(shown);
    // what was seen is held to
    expect(facet.certain).toBe(shown);
  });

  test('what was seen after a change that was not answered stays so', async () => {
    const shown = { value: 'new' };
    const facet = facetOf('old', shown);
    facet.mayBecome('new');
    expect(facet.certain).toBeUndefined();
    expect(await facet.known(kms)).toBe('new');
    shown.value = 'old';
    await expect(facet.look(kms)).rejects.toThrow('the colour is "old", and clients were told "new"');
  });
});

test('who changes something is alone with it, and all or nothing is taken', () => {
  const [one, other] = [facetOf('', { value: '' }), facetOf('', { value: '' })];
  const shared = one.share();
  expect(one.share()).toBeDefined();
  expect(takeAll([() => other.own(), () => one.own()])).toBeUndefined();
  const release = takeAll([() => other.own()]);
  expect(release).toBeDefined();
  expect(other.share()).toBeUndefined();
  release?.();
  expect(other.share()).toBeDefined();
  shared?.();
});
