import { describe, expect, test } from '@jest/globals';
import { SharedTexts } from '../../src/store/shared-texts.js';

describe('Texts that are kept once', () => {
  test('are given as they came, whether known or not', () => {
    const texts = new SharedTexts();
    expect(['a', 'b', 'a', ''].map((text) => texts.of(text))).toEqual(['a', 'b', 'a', '']);
  });

  test('are never so many that they fill the memory, and stay right when the first ones are forgotten', () => {
    const texts = new SharedTexts();
    const long = (number: number) => `${number}`.padEnd(32 * 1024, '.');
    for (let number = 0; number < 100; number++) {
      expect(texts.of(long(number))).toBe(long(number));
      expect(texts.keptCharacters).toBeLessThanOrEqual(1024 * 1024);
    }
    expect(texts.keptCharacters).toBeGreaterThan(0);
  });
});
