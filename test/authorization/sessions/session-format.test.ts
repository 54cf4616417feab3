import { randomBytes } from 'node:crypto';
import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import type { Session } from '../../../src/authorization/sessions/session.js';
import { decodeSession, encodeSession, pack, secretBytes } from '../../../src/authorization/sessions/session-format.js';

const seconds = fc.integer({ min: 0, max: 2 ** 33 }).map((value) => new Date(value * 1000));
const text = fc.string({ unit: 'grapheme', maxLength: 40 });
const optionally = <T>(arbitrary: fc.Arbitrary<T>) => fc.option(arbitrary, { nil: undefined });

const sessions: fc.Arbitrary<Session> = fc.record({
  roleArn: text,
  roleId: text,
  sessionName: text,
  issuedAt: seconds,
  expiresAt: seconds,
  sourceIdentity: optionally(text),
  tags: fc.array(fc.tuple(text, text), { maxLength: 50 }).map((pairs) => new Map(pairs)),
  transitiveTagKeys: fc.constant([]),
  policy: optionally(text),
  policyArns: fc.array(text, { maxLength: 10 }),
});
const secrets = fc.uint8Array({ minLength: secretBytes, maxLength: secretBytes }).map((bytes) => Buffer.from(bytes));

const session: Session = {
  roleArn: 'arn:aws:iam::111122223333:role/app',
  roleId: 'AROAAAAAAAAAAAAAAAAA',
  sessionName: 'one',
  issuedAt: new Date(0),
  expiresAt: new Date(3_600_000),
  sourceIdentity: undefined,
  tags: new Map([['team', 'red']]),
  transitiveTagKeys: ['team'],
  policy: '{}',
  policyArns: ['arn:aws:iam::aws:policy/AdministratorAccess'],
};

describe('a session', () => {
  test('is the same after it was written and read', () => {
    fc.assert(
      fc.property(sessions, secrets, (each, secret) => {
        const { tags } = each;
        const written = { ...each, transitiveTagKeys: [...tags.keys()].slice(0, 3) };
        // tags and policies are packed together: transitive keys without tags are none
        const expected = pack(written).length === 0 ? { ...written, transitiveTagKeys: [] } : written;
        expect(decodeSession(encodeSession(written, secret))).toEqual({ session: expected, secret });
      }),
    );
  });

  test('holds instants of whole seconds', () => {
    const issuedAt = new Date(1_999);
    const decoded = decodeSession(encodeSession({ ...session, issuedAt }, Buffer.alloc(secretBytes)));
    expect(decoded?.session.issuedAt).toEqual(new Date(1_000));
  });

  test('packs nothing when there is nothing to pack, and packs well', () => {
    const bare = { tags: new Map(), transitiveTagKeys: [], policy: undefined, policyArns: [] };
    expect(pack(bare)).toHaveLength(0);
    expect(pack({ ...bare, policy: 'x'.repeat(2_048) }).length).toBeLessThan(100);
  });
});

describe('what is no session', () => {
  const content = encodeSession(session, randomBytes(secretBytes));

  test('of another version is not read', () => {
    for (const version of [0, 2, 255]) {
      const other = Buffer.from(content);
      other[0] = version;
      expect(decodeSession(other)).toBeUndefined();
    }
  });

  test('is not read when it was cut', () => {
    for (let length = 0; length < content.length; length++) {
      const cut = decodeSession(content.subarray(0, length));
      // the head alone is a session without tags and policies: only the seal tells that something is missing
      if (cut !== undefined) expect(cut.session.tags.size).toBe(0);
    }
    expect(decodeSession(content.subarray(0, 40))).toBeUndefined();
  });

  test('is never an exception', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        decodeSession(Buffer.from(bytes));
        decodeSession(Buffer.concat([content.subarray(0, 33), Buffer.from(bytes)]));
      }),
    );
  });

  test('is not unpacked without end', () => {
    const head = content.subarray(0, 33 + content.readUInt16BE(31));
    const bomb = pack({ ...session, policy: 'x'.repeat(1024 * 1024) });
    expect(bomb.length).toBeLessThan(2_048);
    expect(decodeSession(Buffer.concat([head, bomb]))).toBeUndefined();
  });
});
