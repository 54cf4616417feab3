import { chmodSync, chownSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals';
import { readPinFile } from '../../src/server/pin-file.js';

let directory: string;
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'hsm-kms-pins-'));
});
afterAll(() => rmSync(directory, { recursive: true, force: true }));
afterEach(() => {
  delete process.env.CREDENTIALS_DIRECTORY;
});

function pinFile(content: string, mode = 0o600): string {
  const file = join(directory, 'pin');
  rmSync(file, { force: true });
  writeFileSync(file, content);
  chmodSync(file, mode);
  return file;
}

test.each([
  ['1234', '1234'],
  ['1234\n', '1234'],
  ['1234\r\n', '1234'],
  ['1234\n\n', '1234'],
  [' with blanks ', ' with blanks '],
  ['crypto-user:password\n', 'crypto-user:password'],
])('%j holds the PIN %j', (content, pin) => {
  expect(readPinFile(pinFile(content))).toBe(pin);
});

test('it is read anew each time', () => {
  expect(readPinFile(pinFile('old'))).toBe('old');
  expect(readPinFile(pinFile('new'))).toBe('new');
});

test.each([0o640, 0o604, 0o620, 0o601, 0o644, 0o440])('its mode %o is refused', (mode) => {
  expect(() => readPinFile(pinFile('sesame', mode))).toThrow(/^Others than the service may read .+: type chmod go= /);
  expect(() => readPinFile(pinFile('sesame', mode))).not.toThrow(/sesame/);
});

const asRoot = process.geteuid?.() === 0 ? test : test.skip;
asRoot('what belongs to another may be read by its group, not by all', () => {
  const file = pinFile('1234', 0o440);
  chownSync(file, 65534, 0);
  expect(readPinFile(file)).toBe('1234');
  chmodSync(file, 0o444);
  expect(() => readPinFile(file)).toThrow(/Others than the service/);
});

test('the mode of a credential of systemd says nothing: its directory is closed', () => {
  process.env.CREDENTIALS_DIRECTORY = directory;
  expect(readPinFile(pinFile('1234', 0o440))).toBe('1234');
});

test.each([
  ['', /is empty; it must hold a PIN\.$/],
  ['\n', /is empty/],
  ['1234\n5678\n', /holds several lines; it must hold a PIN and nothing else\.$/],
])('%j is refused', (content, message) => {
  expect(() => readPinFile(pinFile(content))).toThrow(message);
});

test('a file that is not there is named', () => {
  expect(() => readPinFile('/nowhere/pin')).toThrow(/^The PIN file \/nowhere\/pin cannot be read \(ENOENT\)/);
});
