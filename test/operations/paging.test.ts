import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { KmsError } from '../../src/contract/kms-error.js';
import { pageAnswer, pageOf } from '../../src/operations/paging.js';

const size = { usual: 50, most: 100 };
const nameOf = (error: unknown) => (error instanceof KmsError ? error.name : String(error));

function markerAfter(position: string): string {
  const { NextMarker } = pageAnswer('ListKeys', { after: '', limit: 1 }, [position, 'more'], (each) => each);
  return NextMarker as string;
}

describe('pageOf', () => {
  test('begins at the start, with the usual length', () => {
    expect(pageOf('ListKeys', {}, size)).toEqual({ after: '', limit: 50 });
    expect(pageOf('ListKeys', { Limit: 100 }, size)).toEqual({ after: '', limit: 100 });
  });

  test('refuses more than the most in the words of the model', () => {
    expect(() => pageOf('ListKeys', { Limit: 101 }, size)).toThrow(
      "1 validation error detected: Value '101' at 'limit' failed to satisfy constraint: Member must have value less than or equal to 100",
    );
  });

  test('goes on after any position that it has named, and every marker fits into the model', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme', maxLength: 256 }), (position) => {
        const Marker = markerAfter(position);
        expect(Marker).toMatch(/^[\u0020-\u00ff]+$/);
        expect(pageOf('ListKeys', { Marker }, size).after).toBe(position);
      }),
    );
  });

  test('refuses every other marker', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', minLength: 1 }), (Marker) => {
        let name = '';
        try {
          pageOf('ListKeys', { Marker }, size);
        } catch (error) {
          name = nameOf(error);
        }
        expect(name).toBe('InvalidMarkerException');
      }),
    );
    const marker = markerAfter('x');
    for (const Marker of [`${marker}A`, `${marker}=`, ` ${marker}`, marker.slice(1), marker.slice(0, -1)]) {
      expect(() => pageOf('ListKeys', { Marker }, size)).toThrow(KmsError);
    }
    expect(() => pageOf('ListAliases', { Marker: marker }, size)).toThrow(KmsError);
  });
});

describe('pageAnswer', () => {
  const answer = (found: string[], limit: number) =>
    pageAnswer('ListKeys', { after: '', limit }, found, (each) => each);

  test('has no marker when everything fits', () => {
    expect(answer([], 2)).toEqual({ page: [], Truncated: false });
    expect(answer(['a', 'b'], 2)).toEqual({ page: ['a', 'b'], Truncated: false });
  });

  test('names the last of the page when there is more', () => {
    const { page, Truncated, NextMarker } = answer(['a', 'b', 'c'], 2);
    expect({ page, Truncated }).toEqual({ page: ['a', 'b'], Truncated: true });
    expect(pageOf('ListKeys', { Marker: NextMarker }, size).after).toBe('b');
  });
});
