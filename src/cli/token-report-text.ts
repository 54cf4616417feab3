import type { CapabilityLine } from '../keys/capabilities.js';
import type { ImportCapabilityLine } from '../keys/import/import-capabilities.js';
import type { TokenReport } from '../keys/token-report.js';
import type { TokenTraits } from '../keys/token-traits.js';
import type { MechanismFacts } from '../token/token-facts.js';

/** A report on a token, for people: sections of aligned lines. */
export function reportText(report: TokenReport): string {
  const { token, module, traits } = report;
  const sections: readonly [title: string, rows: readonly (readonly string[])[]][] = [
    [
      'Token',
      [
        ['label', token.label],
        ['serial number', token.serialNumber],
        ['manufacturer', token.manufacturer],
        ['model', token.model],
        ['firmware', token.firmwareVersion],
        ['hardware', token.hardwareVersion],
        ['slot', `${token.slotId} (${token.slotDescription})`],
        ['flags', token.flags.join(' ')],
        ...memoryRow(token),
      ],
    ],
    [
      'Module',
      [
        ['file', module.file],
        ['library', `${module.libraryDescription} ${module.libraryVersion} (${module.libraryManufacturer})`],
        ['PKCS#11', module.cryptokiVersion],
        ['profile', report.profile],
      ],
    ],
    [
      'Limits',
      [
        ['sessions', limitText(token.mostSessions)],
        ['read-write sessions', limitText(token.mostReadWriteSessions)],
        ['PIN', `${token.pinLength.least} to ${token.pinLength.most} characters`],
      ],
    ],
    ['Found by trying', traitRows(traits)],
    ['KMS algorithms', report.algorithms.map(algorithmRow)],
    ['Import of key material', report.imports.map(importRow)],
    [`${report.mechanisms.length} mechanisms, as the token lists them`, report.mechanisms.map(mechanismRow)],
  ];
  return sections.map(([title, rows]) => `${title}\n${alignedLines(rows)}`).join('\n\n');
}

/** Lines of columns as wide as their longest cell, indented by two blanks. */
export function alignedLines(rows: readonly (readonly string[])[]): string {
  const widths: number[] = [];
  for (const row of rows) {
    for (const [column, cell] of row.entries()) widths[column] = Math.max(widths[column] ?? 0, cell.length);
  }
  return rows
    .map((row) => `  ${row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join('  ')}`.trimEnd())
    .join('\n');
}

function memoryRow({ freePublicMemory, freePrivateMemory }: TokenReport['token']): string[][] {
  if (freePublicMemory === undefined && freePrivateMemory === undefined) return [];
  return [['free memory', `${freePrivateMemory ?? '?'} bytes private, ${freePublicMemory ?? '?'} bytes public`]];
}

function limitText(limit: number | undefined): string {
  return limit === undefined ? 'no limit told' : `${limit} per application`;
}

const oaepNames = { sha1: 'SHA-1', sha256: 'SHA-256', sha384: 'SHA-384', sha512: 'SHA-512' } as const;
const ivMakers = { service: 'the service, by random numbers of the token', token: 'the token, while it encrypts' };
const pointForms = { DER: 'DER OCTET STRING, as PKCS#11 has it', raw: 'the bare point' };

function traitRows({ gcmIv, sessionCopies, ecPoint, oaepHashes }: TokenTraits): string[][] {
  const hashes = Object.keys(oaepHashes) as (keyof typeof oaepNames)[];
  const refused = hashes.flatMap((hash) => {
    const answer = oaepHashes[hash];
    return typeof answer === 'string' ? [] : [`${oaepNames[hash]} not: ${answer.no}`];
  });
  const taken = hashes.filter((hash) => oaepHashes[hash] === 'yes').map((hash) => oaepNames[hash]);
  return [
    ['AES-GCM IVs are made by', typeof gcmIv === 'string' ? ivMakers[gcmIv] : `not known: ${gcmIv.no}`],
    [
      'session copies of keys',
      typeof sessionCopies === 'string'
        ? 'yes, they stay sensitive and non-extractable'
        : `not possible: ${sessionCopies.no}`,
    ],
    ['CKA_EC_POINT is', typeof ecPoint === 'string' ? pointForms[ecPoint] : `not known: ${ecPoint.no}`],
    ['RSA-OAEP in the token with', [taken.join(', ') || 'no hash', ...refused].join('; ')],
  ];
}

function algorithmRow({ spec, usage, algorithm, where, detail }: CapabilityLine): string[] {
  return [spec, usage ?? '', algorithm ?? '', where, detail];
}

function importRow({ algorithm, material, where, detail }: ImportCapabilityLine): string[] {
  return [material, algorithm, where, detail];
}

function mechanismRow({ name, keySize, flags }: MechanismFacts): string[] {
  const sizes = keySize === undefined ? '' : `${keySize.least} to ${keySize.most}`;
  return [name, sizes, flags.join(' ')];
}
