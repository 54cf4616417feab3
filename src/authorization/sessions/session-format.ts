import { deflateRawSync, inflateRawSync } from 'node:zlib';
import { z } from 'zod';
import type { Session } from './session.js';

/** Random bytes whose base64 text is a secret access key. */
export const secretBytes = 30;

/**
 * What the content of a session token looks like, before it is sealed:
 *
 *   1 byte    version
 *   30 bytes  the secret access key's random bytes
 *   2 bytes   length of the head, big-endian
 *   head      JSON
 *   the rest  what is packed: JSON, raw deflate; nothing when there are neither tags nor policies
 */
const version = 1;
const headStart = 1 + secretBytes + 2;

/** Far more than 50 tags and the policies of a session can be. */
const mostUnpackedBytes = 256 * 1024;

const head = z.strictObject({
  roleArn: z.string(),
  roleId: z.string(),
  sessionName: z.string(),
  /** Seconds since the epoch. */
  issuedAt: z.number(),
  expiresAt: z.number(),
  sourceIdentity: z.string().optional(),
});

const packed = z.strictObject({
  tags: z.array(z.tuple([z.string(), z.string()])),
  transitiveTagKeys: z.array(z.string()),
  policy: z.string().optional(),
  policyArns: z.array(z.string()),
});

/** What of a session is packed, and counted: how large the rest becomes is bounded without. */
export type PackedParts = Pick<Session, 'tags' | 'transitiveTagKeys' | 'policy' | 'policyArns'>;

/** Policies and tags of a session, packed. */
export function pack({ tags, transitiveTagKeys, policy, policyArns }: PackedParts): Buffer {
  if (tags.size === 0 && policy === undefined && policyArns.length === 0) return Buffer.alloc(0);
  return deflateRawSync(JSON.stringify({ tags: [...tags], transitiveTagKeys, policy, policyArns }), { level: 9 });
}

/** @param secret 30 random bytes */
export function encodeSession(session: Session, secret: Buffer): Buffer {
  const { roleArn, roleId, sessionName, issuedAt, expiresAt, sourceIdentity } = session;
  const text = JSON.stringify({
    roleArn,
    roleId,
    sessionName,
    issuedAt: secondsOf(issuedAt),
    expiresAt: secondsOf(expiresAt),
    sourceIdentity,
  });
  const encodedHead = Buffer.from(text);
  const headLength = Buffer.alloc(2);
  headLength.writeUInt16BE(encodedHead.length);
  return Buffer.concat([Buffer.from([version]), secret, headLength, encodedHead, pack(session)]);
}

/** @returns undefined for what is not in this format: another version's */
export function decodeSession(content: Buffer): { session: Session; secret: Buffer } | undefined {
  if (content[0] !== version || content.length < headStart) return undefined;
  const headEnd = headStart + content.readUInt16BE(headStart - 2);
  if (headEnd > content.length) return undefined;
  const facts = parsed(head, () => content.subarray(headStart, headEnd));
  const rest = content.subarray(headEnd);
  const parts =
    rest.length === 0
      ? { tags: [], transitiveTagKeys: [], policyArns: [] }
      : parsed(packed, () => inflateRawSync(rest, { maxOutputLength: mostUnpackedBytes }));
  if (facts === undefined || parts === undefined) return undefined;
  const session = {
    ...facts,
    issuedAt: new Date(facts.issuedAt * 1000),
    expiresAt: new Date(facts.expiresAt * 1000),
    sourceIdentity: facts.sourceIdentity,
    tags: new Map(parts.tags),
    transitiveTagKeys: parts.transitiveTagKeys,
    policy: parts.policy,
    policyArns: parts.policyArns,
  };
  return { session, secret: Buffer.from(content.subarray(1, 1 + secretBytes)) };
}

function parsed<S extends z.ZodType>(schema: S, json: () => Buffer): z.infer<S> | undefined {
  try {
    return schema.parse(JSON.parse(json().toString()));
  } catch {
    return undefined;
  }
}

function secondsOf(date: Date): number {
  return Math.floor(date.getTime() / 1000);
}
