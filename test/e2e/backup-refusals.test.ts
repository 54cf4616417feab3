import { createHash } from 'node:crypto';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync, gzipSync } from 'node:zlib';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { besideCopiedToken } from '../service/backup.js';
import { hsmKms, Service } from '../service/service.js';
import { describeWith } from '../service/tested-token.js';

describeWith("the service's own SoftHSM2", 'archives and places that are refused', () => {
  let directory: string;
  let service: Service;
  let archive: string;

  beforeAll(async () => {
    directory = mkdtempSync(join(tmpdir(), 'hsm-kms-backup-refusals-'));
    archive = join(directory, 'archive');
    service = await Service.start();
    for (let i = 0; i < 3; i++) await service.kms.disableKey({ KeyId: (await service.newKey()).KeyId });
    expect(await hsmKms('backup', archive, '--data-dir', service.dataDir)).toMatchObject({ code: 0 });
  });
  afterAll(async () => {
    await service?.end();
    rmSync(directory, { recursive: true, force: true });
  });

  /** The same archive with other lines; its checksum is right, its seal is the old one or as given. */
  function edited(change: (lines: string[]) => string[], compress = true): string {
    const file = join(mkdtempSync(join(directory, 'edited-')), 'archive');
    const lines = change(gunzipSync(readFileSync(archive)).toString('utf8').trimEnd().split('\n'));
    const content = `${lines.join('\n')}\n`;
    writeFileSync(file, compress ? gzipSync(content) : content);
    return file;
  }
  const withChecksum = (lines: string[]) => {
    const [content, end] = [lines.slice(0, -1), JSON.parse(lines.at(-1) as string)];
    const hash = createHash('sha256')
      .update(`${content.join('\n')}\n`)
      .digest('hex');
    return [...content, JSON.stringify({ ...end, sha256: hash })];
  };
  const withHeader = (changed: Record<string, unknown>) => (lines: string[]) => [
    JSON.stringify({ ...JSON.parse(lines[0] as string), ...changed }),
    ...lines.slice(1),
  ];
  const enable = (lines: string[]) => lines.map((line) => line.replace('"state":"Disabled"', '"state":"Enabled"'));

  const refusals: readonly (readonly [what: string, file: () => string, says: RegExp])[] = [
    ['an archive that is not there', () => join(directory, 'nowhere'), /cannot be read: ENOENT/],
    ['a file that is no archive', () => edited((lines) => lines, false), /damaged \(it is not what gzip wrote\)/],
    ['gzip of something else', () => edited(() => ['{"some":"thing"}']), /is no archive of hsm-kms/],
    [
      'an archive that was cut off',
      () => {
        const file = edited((lines) => lines);
        writeFileSync(file, readFileSync(file).subarray(0, -200));
        return file;
      },
      /damaged \(its end is missing/,
    ],
    ['an archive without its end', () => edited((lines) => lines.slice(0, -1)), /damaged \(its end is missing/],
    ['an edited archive', () => edited(enable), /damaged \(its checksum does not match\)/],
    ['an edited archive with a new checksum', () => edited((lines) => withChecksum(enable(lines))), /was edited after/],
    [
      'an archive without a row',
      () => edited((lines) => withChecksum([...lines.slice(0, 3), ...lines.slice(4)])),
      /damaged \(rows of .* are missing\)/,
    ],
    [
      'something after its end',
      () => edited((lines) => [...lines, '["keys",{}]']),
      /damaged \(something follows its end/,
    ],
    [
      'a newer format',
      () => edited(withHeader({ version: 2, program: '9.9.9' })),
      /newer version of hsm-kms \(9\.9\.9\)/,
    ],
    [
      'a newer schema',
      () => edited((lines) => withHeader({ migrations: ['0001-first-schema', '9999-later'] })(lines)),
      /newer version of hsm-kms .*9999-later/,
    ],
  ];

  test.each(refusals)('%s is refused, and nothing restored', async (_what, file, says) => {
    const dataDir = besideCopiedToken(service, directory);
    const { code, output } = await hsmKms('restore', file(), '--data-dir', dataDir);
    expect(output).toMatch(says);
    expect(output.trim().split('\n')).toHaveLength(1);
    expect(code).toBe(1);
    expect(existsSync(join(dataDir, 'credentials'))).toBe(false);
    expect(existsSync(join(dataDir, 'hsm-kms.db'))).toBe(false);
  });

  test('another account is refused', async () => {
    const dataDir = besideCopiedToken(service, directory);
    expect(await hsmKms('restore', archive, '--data-dir', dataDir, '--account-id', '111122223333')).toMatchObject({
      code: 1,
      output: expect.stringContaining('set HSM_KMS_ACCOUNT_ID=000000000000'),
    });
  });

  test('the token of another service is refused', async () => {
    const dataDir = join(directory, 'of-another');
    await hsmKms('init', '--data-dir', dataDir);
    const verified = await hsmKms('backup', 'verify', archive, '--data-dir', dataDir);
    expect(verified).toMatchObject({
      code: 1,
      output: expect.stringMatching(/was sealed by the token "hsm-kms" .* not by/),
    });
    // who has no token can look whether it is whole
    const withoutToken = await hsmKms('backup', 'verify', '--without-token', archive);
    expect(withoutToken).toMatchObject({ code: 0, output: expect.stringContaining('which was not asked') });
  });

  test('a database that is not empty, a service that runs, a missing token, a file that exists', async () => {
    const here = ['--data-dir', service.dataDir];
    expect(await hsmKms('restore', archive, ...here)).toMatchObject({
      code: 1,
      output: expect.stringContaining('Another hsm-kms serves from the data directory'),
    });
    await service.stop();
    expect(await hsmKms('restore', archive, ...here)).toMatchObject({
      code: 1,
      output: expect.stringMatching(/holds something already/),
    });
    await service.serve();
    expect(
      await hsmKms('restore', archive, '--data-dir', besideCopiedToken(service, directory, 'tokens', 'token-user-pin')),
    ).toMatchObject({
      code: 1,
      output: expect.stringContaining('first put the token back from its back-up'),
    });
    const before = readFileSync(archive);
    expect(await hsmKms('backup', archive, ...here)).toMatchObject({
      code: 1,
      output: expect.stringContaining('exists already'),
    });
    expect(readFileSync(archive)).toEqual(before);
    expect(await hsmKms('backup', join(directory, 'no', 'directory'), ...here)).toMatchObject({
      code: 1,
      output: expect.stringMatching(/cannot be written.*ENOENT/),
    });
  });
});
