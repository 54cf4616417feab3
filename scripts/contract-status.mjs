/**
 * Writes what of the KMS API this build does into README.md, between its two markers: each operation, and each key spec,
 * usage and algorithm as a probe of a fresh SoftHSM2 token finds it.
 *
 *     node scripts/contract-status.mjs [--check] [--build DIR] [--readme FILE]
 *
 * --check changes nothing and fails when README.md says something else. --build: where the modules are, if not in build/.
 */
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';

const root = fileURLToPath(new URL('../', import.meta.url));
const begin = '<!-- contract-status:begin -->';
const end = '<!-- contract-status:end -->';

/** Headings of the table of operations. */
const families = {
  Keys: [
    ...['CreateKey', 'DescribeKey', 'ListKeys', 'UpdateKeyDescription', 'EnableKey', 'DisableKey'],
    ...['ScheduleKeyDeletion', 'CancelKeyDeletion', 'GetKeyLastUsage'],
  ],
  Encryption: ['Encrypt', 'Decrypt', 'ReEncrypt'],
  'Data keys, random': [
    ...['GenerateDataKey', 'GenerateDataKeyWithoutPlaintext', 'GenerateDataKeyPair'],
    ...['GenerateDataKeyPairWithoutPlaintext', 'GenerateRandom'],
  ],
  'Signatures, MACs': ['Sign', 'Verify', 'GetPublicKey', 'GenerateMac', 'VerifyMac'],
  'Shared secrets': ['DeriveSharedSecret', 'Encapsulate', 'Decapsulate'],
  'Aliases, tags': [
    ...['CreateAlias', 'UpdateAlias', 'DeleteAlias', 'ListAliases'],
    ...['TagResource', 'UntagResource', 'ListResourceTags'],
  ],
  'Policies, grants': [
    ...['GetKeyPolicy', 'PutKeyPolicy', 'ListKeyPolicies', 'CreateGrant', 'ListGrants', 'ListRetirableGrants'],
    ...['RetireGrant', 'RevokeGrant'],
  ],
  Rotation: [
    ...['EnableKeyRotation', 'DisableKeyRotation', 'GetKeyRotationStatus', 'RotateKeyOnDemand', 'ListKeyRotations'],
  ],
  'Imported key material': ['GetParametersForImport', 'ImportKeyMaterial', 'DeleteImportedKeyMaterial'],
  'Custom key stores': [
    ...['CreateCustomKeyStore', 'DescribeCustomKeyStores', 'ConnectCustomKeyStore', 'DisconnectCustomKeyStore'],
    ...['UpdateCustomKeyStore', 'DeleteCustomKeyStore'],
  ],
  'Multi-Region keys': ['ReplicateKey', 'UpdatePrimaryRegion'],
};

const { check, build, readme } = parseArgs({
  options: {
    check: { type: 'boolean', default: false },
    build: { type: 'string', default: join(root, 'build') },
    readme: { type: 'string', default: join(root, 'README.md') },
  },
}).values;
if (!existsSync(build)) throw new Error('There is no build. Type: npm run build');
/** A module of the build. */
const built = (path) => import(pathToFileURL(join(build, path)).href);

const [before, shown, after] = parts(readFileSync(readme, 'utf8'));
const operationsText = await operationsSection();
const { identity, report } = await probe();
const caption = `Where each algorithm runs with ${identity.model} ${identity.firmwareVersion}, found by trying:`;
const status = `\n\n${operationsText}\n\n${caption}\n\n${keySpecsTable(report)}\n\n`;
if (shown === status) {
  console.log('README.md says what is done');
} else if (check && !shown.includes(caption) && shown.startsWith(`\n\n${operationsText}\n`)) {
  console.log(`README.md says what is done; not checked with this ${identity.model} ${identity.firmwareVersion}`);
} else if (check) {
  console.error('README.md does not say what is done. Type: npm run build && npm run contract-status');
  process.exitCode = 1;
} else {
  writeFileSync(readme, before + begin + status + end + after);
  console.log('README.md is written');
}

function parts(text) {
  const [before, rest] = text.split(begin);
  const [shown, after] = rest?.split(end) ?? [];
  if (after === undefined) throw new Error(`README.md needs the lines ${begin} and ${end}`);
  return [before, shown, after];
}

async function operationsSection() {
  const { operationNames } = await built('contract/operations.js');
  const { operations } = await built('operations/table.js');
  const { refusals } = await built('operations/unsupported.js');
  const inFamilies = Object.values(families).flat();
  const unlisted = operationNames.filter((name) => !inFamilies.includes(name));
  if (unlisted.length > 0) throw new Error(`scripts/contract-status.mjs has no family for ${unlisted.join(', ')}`);

  const stateOf = (name) => (refusals[name] ? 'refused' : operations.has(name) ? 'done' : 'missing');
  const count = (state) => operationNames.filter((name) => stateOf(name) === state).length;
  const rows = Object.entries(families).map(([family, names]) => {
    const known = names.filter((name) => operationNames.includes(name));
    const of = (state) => known.filter((name) => stateOf(name) === state);
    const refused = grouped(of('refused'), (name) => refusals[name]).map(
      ([reason, each]) => `${each.join(', ')}: ${reason}`,
    );
    const missing = of('missing').map((name) => `**missing: ${name}**`);
    return [family, of('done').join(', '), [...refused, ...missing].join(' ')];
  });
  return [
    `${operationNames.length} operations: ${count('done')} done, ${count('refused')} refused with ` +
      `\`UnsupportedOperationException\`, ${count('missing')} missing.`,
    table(['', 'done', 'refused, and why'], rows),
  ].join('\n\n');
}

function keySpecsTable(report) {
  const lines = report.map((line) => ({ ...line, detail: line.detail.replace(/ \(\d+\)/, '').replace(/\.$/, '') }));
  const algorithms = (each, where) => each.filter((line) => line.where === where).map(({ algorithm }) => algorithm);
  const reasons = (each, where) =>
    grouped(
      each.filter((line) => line.where === where),
      ({ detail }) => detail,
    ).map(([detail, some]) => {
      const names = some.flatMap(({ algorithm }) => algorithm ?? []);
      return names.length > 0 ? `${names.join(', ')}: ${detail}` : detail;
    });
  const rowOf = (each) => [
    each[0].usage ?? '',
    algorithms(each, 'in the token').join(', '),
    reasons(each, 'split').join('; '),
    reasons(each, 'not available').join('; '),
  ];
  const specsAndUsages = grouped(lines, ({ spec, usage }) => `${spec} ${usage}`).map(([, each]) => ({
    spec: each[0].spec,
    row: rowOf(each),
  }));
  // specs that differ in nothing else share a row
  const rows = grouped(specsAndUsages, ({ row }) => row.join('|')).map(([, each]) => [
    each.map(({ spec }) => spec).join(', '),
    ...each[0].row,
  ]);
  return table(['key spec', 'usage', 'in the token', 'split', 'not available'], rows);
}

/** What a fresh SoftHSM2 token can do, as `hsm-kms token describe` finds it. */
async function probe() {
  const { initialiseSoftHsmToken, softHsmConfiguration, softHsmModule } = await built('token/softhsm.js');
  const { Token } = await built('token/token.js');
  const { fixedPin } = await built('token/token-settings.js');
  const { Capabilities } = await built('keys/capabilities.js');
  const directory = mkdtempSync(join(tmpdir(), 'hsm-kms-status-'));
  try {
    mkdirSync(join(directory, 'tokens'));
    process.env.SOFTHSM2_CONF = join(directory, 'softhsm2.conf');
    writeFileSync(process.env.SOFTHSM2_CONF, softHsmConfiguration(join(directory, 'tokens')));
    const [label, pin] = ['contract-status', 'only-for-this-probe'];
    initialiseSoftHsmToken(label, { securityOfficer: pin, user: pin });
    const limits = { sessions: 4, waiting: 16, waitMilliseconds: 10_000, callMilliseconds: 60_000 };
    const token = Token.open({
      module: softHsmModule(),
      moduleParameters: undefined,
      selector: { label },
      pin: fixedPin(pin),
      limits,
    });
    const report = (await Capabilities.probe(token, { allowSplit: true })).report();
    const { identity } = token;
    await token.close();
    return { identity, report };
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

/** @returns [what they have in common, they themselves], in the order in which they come */
function grouped(values, keyOf) {
  const groups = new Map();
  for (const value of values) groups.set(keyOf(value), [...(groups.get(keyOf(value)) ?? []), value]);
  return [...groups];
}

function table(header, rows) {
  return [header, header.map(() => '---'), ...rows].map((row) => `| ${row.join(' | ')} |`).join('\n');
}
