import { readFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { parse } from 'yaml';
import { z } from 'zod';
import type { Declaration, DeclaredPrincipal } from '../../authorization/iam/reconciliation.js';
import { readDocument } from './flags.js';

/** A policy: written out in YAML, or a text: JSON, or file:// and a path as seen from this file. */
const policy = z.union([z.string().min(1), z.record(z.string(), z.unknown())]);
const text = z.string();
/** YAML reads 7 and true as what they look like; a tag means the text. */
const tagValue = z.union([z.string(), z.number(), z.boolean()]).transform(String);

const permissions = {
  path: text.default('/'),
  tags: z.record(z.string(), tagValue).default({}),
  policies: z.record(z.string(), policy).default({}),
  attachedPolicies: z.array(text).default([]),
  permissionsBoundary: text.optional(),
};

const user = z.strictObject(permissions);
const role = z.strictObject({
  ...permissions,
  trustPolicy: policy,
  description: text.optional(),
  maxSessionDuration: z.number().default(3_600),
});
const managedPolicy = z.strictObject({ path: text.default('/'), description: text.optional(), document: policy });

/** An empty name, as in `alice:`, declares one with nothing. */
const orEmpty = <T extends z.ZodType>(type: T) => z.preprocess((value) => value ?? {}, type);
const named = <T extends z.ZodType>(type: T) => orEmpty(z.record(z.string(), orEmpty(type)));

const declaration = orEmpty(z.strictObject({ policies: named(managedPolicy), users: named(user), roles: named(role) }));

/**
 * Reads a file that declares users, roles and managed policies.
 *
 * @throws Error that names the file and what in it does not fit
 */
export function readDeclaration(file: string, accountId: string): Declaration {
  const read = declaration.safeParse(parseYaml(file));
  if (!read.success) {
    const faults = read.error.issues.map(({ path, message }) => `  ${path.join('.') || 'the file'}: ${message}`);
    throw new Error(`${file} does not fit.\n${faults.join('\n')}`);
  }
  const { policies, users, roles } = read.data;
  const textOf = (document: z.output<typeof policy>, where: string) =>
    documentText(document, `${file}: ${where}`, file);
  const paths = new Map(Object.entries(policies).map(([name, { path }]) => [name, path]));
  const arnOf = (named: string) =>
    named.startsWith('arn:') ? named : `arn:aws:iam::${accountId}:policy${paths.get(named) ?? '/'}${named}`;
  const principal = (name: string, each: z.output<typeof user>): DeclaredPrincipal => ({
    path: each.path,
    tags: new Map(Object.entries(each.tags)),
    policies: mapValues(each.policies, (document, policyName) => textOf(document, `${name}.policies.${policyName}`)),
    attachedPolicies: [...new Set(each.attachedPolicies.map(arnOf))],
    permissionsBoundary: each.permissionsBoundary === undefined ? undefined : arnOf(each.permissionsBoundary),
  });
  return {
    policies: mapValues(policies, ({ path, description, document }, name) => ({
      path,
      description,
      document: textOf(document, `${name}.document`),
    })),
    users: mapValues(users, (each, name) => principal(name, each)),
    roles: mapValues(roles, (each, name) => ({
      ...principal(name, each),
      role: {
        trustPolicy: textOf(each.trustPolicy, `${name}.trustPolicy`),
        description: each.description,
        maxSessionSeconds: each.maxSessionDuration,
      },
    })),
  };
}

function parseYaml(file: string): unknown {
  try {
    return parse(readFileSync(file, 'utf8'), { merge: true });
  } catch (error) {
    throw new Error(`${file} cannot be read: ${(error as Error).message}`, { cause: error });
  }
}

function documentText(document: z.output<typeof policy>, where: string, file: string): string {
  if (typeof document !== 'string') return JSON.stringify(document);
  const [, path] = /^file:\/\/(.+)$/s.exec(document) ?? [];
  return readDocument(path === undefined ? document : `file://${resolve(dirname(file), path)}`, where);
}

function mapValues<T, R>(values: Readonly<Record<string, T>>, map: (value: T, name: string) => R): Map<string, R> {
  return new Map(Object.entries(values).map(([name, value]) => [name, map(value, name)]));
}
