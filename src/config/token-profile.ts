import { z } from 'zod';
import { parsedJson } from './json-setting.js';

const attributes = z.array(z.string().regex(/^CKA_[A-Z0-9_]+$/, 'is no name of an attribute, as in CKA_LOCAL'));

/**
 * What a person says of a kind of token: the name of a profile that the service has, or what is different. The names of
 * profiles and attributes are checked where the token is opened (token/profiles.ts).
 */
const declaredProfile = z.strictObject({
  /** The profile that the rest is a change to; that of the token's manufacturer by default. */
  like: z.string().min(1).optional(),
  unkeptAttributes: attributes.optional(),
  refusedAttributes: attributes.optional(),
  showsObjectsTwice: z.boolean().optional(),
  gcmIv: z.enum(['service', 'token']).optional(),
  calls: z.enum(['mixed', 'threads']).optional(),
  mostSessions: z.number().int().min(3, 'is less than 3, which each worker needs').max(10_000).optional(),
  mostSessionCopies: z.number().int().min(0).max(100_000).optional(),
});

export type DeclaredProfile = z.output<typeof declaredProfile>;

const named = (value: unknown) => {
  if (typeof value !== 'string') return value;
  return value.trimStart().startsWith('{') ? parsedJson(value) : { like: value };
};

/** A name, or an object: as such in the YAML file, as JSON text in the environment and on the command line. */
export const tokenProfileSetting = z.preprocess(named, declaredProfile.optional());
