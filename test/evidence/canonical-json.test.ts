import { describe, expect, test } from '@jest/globals';
import { canonicalJson, memberNamedTwice } from '../../src/evidence/canonical-json.js';

describe('the JSON Canonicalization Scheme', () => {
  test('writes the example of RFC 8785, 3.2.2 and 3.2.3', () => {
    const text = String.raw`{
      "numbers": [333333333.33333329, 1E30, 4.50, 2e-3, 0.000000000000000000000000001],
      "string": "\u20ac$\u000F\u000aA'\u0042\u0022\u005c\\\"\/",
      "literals": [null, true, false]
    }`;
    expect(canonicalJson(JSON.parse(text))).toBe(
      String.raw`{"literals":[null,true,false],"numbers":[333333333.3333333,1e+30,4.5,0.002,1e-27],"string":"€$\u000f\nA'B\"\\\\\"/"}`,
    );
  });

  test('sorts members by UTF-16 code units, as the example of 3.2.3 does', () => {
    const text = String.raw`{"\u20ac":1,"\r":2,"\ufb33":3,"1":4,"\ud83d\ude00":5,"\u0080":6,"\u00f6":7}`;
    expect(canonicalJson(JSON.parse(text)).match(/\d(?=[,}])/g)).toEqual(['2', '4', '6', '7', '1', '5', '3']);
  });

  test('does not depend on the order of members or on white space', () => {
    const one = '{"b": [1, {"d": 2, "c": 3}], "a": ""}';
    const other = '{"a":"","b":[1,{"c":3,"d":2}]}';
    expect(canonicalJson(JSON.parse(one))).toBe(canonicalJson(JSON.parse(other)));
    expect(canonicalJson(JSON.parse(one))).toBe(other);
  });
});

describe('a member that stands twice', () => {
  test.each([
    ['{"a":1,"a":2}', 'a'],
    ['{"a":1,"\\u0061":2}', 'a'],
    ['{"x":[{"b":{},"c":[],"b":1}]}', 'b'],
    ['{"a":{"k":1},"b":{"k":1},"a":0}', 'a'],
    ['[{"a":"b"},{"a":"}{,\\""},{"": 1, "": 2}]', ''],
  ])('of %s is found', (text, name) => {
    expect(memberNamedTwice(text)).toBe(name);
  });

  test.each(['{"a":1,"b":2}', '{"a":"a","b":["a","a"],"c":{"a":"a"}}', '[{"a":1},{"a":1}]', '"a"', '{"a":"\\"a\\":"}'])(
    'of %s is none',
    (text) => {
      expect(memberNamedTwice(text)).toBeUndefined();
    },
  );
});
