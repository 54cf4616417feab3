import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { directoryBytes } from '../service/directory-bytes.js';
import { doctor } from '../service/doctor.js';
import { Service } from '../service/service.js';
import { SmallDisk, whyNoSmallDisk } from '../service/small-disk.js';
import { whyLacking } from '../service/tested-token.js';

const whyNot = whyNoSmallDisk() ?? whyLacking("the service's own SoftHSM2");
if (whyNot !== undefined) console.warn(`SKIPPED, the doctor's tests of disks: ${whyNot}`);
const testOnDisk = whyNot === undefined ? test : test.skip;

let service: Service;
let disk: SmallDisk | undefined;
beforeAll(async () => {
  if (whyNot !== undefined) return;
  service = await Service.start({
    prepare: async (dataDir) => {
      disk = new SmallDisk(dataDir);
    },
  });
  await service.newKey();
  await service.stop();
});
afterAll(async () => {
  await service?.stop();
  disk?.end();
  await service?.end();
});

const look = (...flags: string[]) => doctor(service.dataDir, ['--stopped', ...flags]);
/** But for SQLite's log, which is empty. */
const bytes = () => directoryBytes(service.dataDir, (path) => /^\.filler$|-wal$|\.lock/.test(path));
const few = {
  check: 'disk',
  severity: 'error',
  what: expect.stringMatching(/ MiB are free for .+: keys cannot be made soon/),
};

const unwritable = (why: string) => ({
  check: 'disk',
  severity: 'error',
  what: `Nothing can be written to ${service.dataDir}: ${why}.`,
});

testOnDisk('a disk without room is told, and nobody logs in to SoftHSM2, whose file would be lost', async () => {
  disk?.fill();
  const before = bytes();
  const { code, bad } = await look('--repair');
  expect(code).toBe(2);
  expect(bad).toEqual(expect.arrayContaining([expect.objectContaining(few)]));
  expect(bad).toEqual(expect.arrayContaining([expect.objectContaining(unwritable('its disk is full'))]));
  expect(bad.find(({ check }) => check === 'token')?.what).toMatch(/^No login was made to SoftHSM2, which needs room/);
  expect(bytes()).toEqual(before);
  disk?.makeRoom();
  expect((await look()).bad).toMatchObject([few]);
});

testOnDisk('a disk that has made itself read-only is told', async () => {
  disk?.fail();
  const { code, bad } = await look();
  expect(code).toBe(2);
  expect(bad).toEqual(expect.arrayContaining([expect.objectContaining(unwritable('its file system is read-only'))]));
  expect(JSON.stringify(bad)).not.toMatch(/undefined|\[object/);
});
