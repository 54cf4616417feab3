import { describe, expect, test } from '@jest/globals';
import { loadSettings } from '../../src/config/load-settings.js';
import { tokenChoice, usualTokenLabel } from '../../src/config/token-choice.js';

const settingsOf = (environment: Readonly<Record<string, string>>) => loadSettings({ environment }).settings;
const choiceOf = (environment: Readonly<Record<string, string>>) =>
  tokenChoice(settingsOf(environment), usualTokenLabel);

describe('the service token', () => {
  test('has a usual label, unless a serial number says which it is', () => {
    expect(choiceOf({}).selector).toEqual({ label: 'hsm-kms' });
    expect(choiceOf({ HSM_KMS_TOKEN_LABEL: 'a' }).selector).toEqual({ label: 'a' });
    expect(choiceOf({ HSM_KMS_TOKEN_SERIAL: '0012' }).selector).toEqual({ serialNumber: '0012' });
    const both = choiceOf({ HSM_KMS_TOKEN_LABEL: 'a', HSM_KMS_TOKEN_SERIAL: '0012' });
    expect(both.selector).toEqual({ label: 'a', serialNumber: '0012' });
  });

  test('is what a URI says', () => {
    const uri = 'pkcs11:serial=12;slot-id=3?module-path=/a/lib.so&pin-source=file:/pin';
    expect(choiceOf({ HSM_KMS_TOKEN_URI: uri })).toEqual({
      selector: { serialNumber: '12', slotId: 3 },
      modulePath: '/a/lib.so',
      moduleName: undefined,
      pinFile: '/pin',
    });
  });

  test('may have its module named twice, when it is the same', () => {
    const uri = 'pkcs11:token=a?module-path=/a/../a/libx.so&module-name=x';
    expect(choiceOf({ HSM_KMS_TOKEN_URI: uri, HSM_KMS_PKCS11_MODULE: '/a/libx.so' }).modulePath).toBe('/a/libx.so');
    const directory = 'pkcs11:token=a?module-path=/a&module-name=x';
    expect(choiceOf({ HSM_KMS_TOKEN_URI: directory, HSM_KMS_PKCS11_MODULE: '/a/libx.so' }).modulePath).toBe(
      '/a/libx.so',
    );
  });

  test.each<[string, Readonly<Record<string, string>>, RegExp]>([
    [
      'a label',
      { HSM_KMS_TOKEN_LABEL: 'a' },
      /^HSM_KMS_TOKEN_URI says which token it is: leave out HSM_KMS_TOKEN_LABEL/,
    ],
    ['a serial number', { HSM_KMS_TOKEN_SERIAL: '1' }, /leave out HSM_KMS_TOKEN_SERIAL, or put it into the URI\.$/],
    [
      'another module',
      { HSM_KMS_PKCS11_MODULE: '/b/lib.so' },
      /^HSM_KMS_TOKEN_URI names another module than HSM_KMS_PKCS11_MODULE, \/b\/lib\.so: leave out one of them\.$/,
    ],
  ])('%s beside a URI is refused', (_what, more, message) => {
    const uri = 'pkcs11:token=a?module-path=/a/lib.so';
    expect(() => settingsOf({ HSM_KMS_TOKEN_URI: uri, ...more })).toThrow(message);
  });

  test('another module name is refused', () => {
    const environment = { HSM_KMS_TOKEN_URI: 'pkcs11:?module-name=x', HSM_KMS_PKCS11_MODULE: '/a/liby.so' };
    expect(() => settingsOf(environment)).toThrow(/names another module/);
  });

  test('a URI that is none is refused where it stands', () => {
    expect(() => settingsOf({ HSM_KMS_TOKEN_URI: 'pkcs11:tokne=a' })).toThrow(
      /HSM_KMS_TOKEN_URI: has the unknown attribute tokne/,
    );
    expect(() => settingsOf({ HSM_KMS_TOKEN_SERIAL: 'x'.repeat(17) })).toThrow(/HSM_KMS_TOKEN_SERIAL/);
  });

  test('the PIN has no flag, and is no setting', () => {
    expect(() => loadSettings({ flags: {}, environment: { HSM_KMS_TOKEN_PIN: 'sesame' } })).not.toThrow();
    expect(JSON.stringify(settingsOf({ HSM_KMS_TOKEN_PIN: 'sesame' }))).not.toContain('sesame');
  });
});

describe('key stores', () => {
  const clusterId = 'cluster-aaaaaaaaaaa';
  const keyStores = (...list: object[]) =>
    settingsOf({ HSM_KMS_KEY_STORES: JSON.stringify(list.map((each) => ({ clusterId, ...each }))) }).keyStores;

  test('are chosen by serial number or URI as well', () => {
    expect(keyStores({ tokenSerial: '12' })).toEqual([{ clusterId, tokenSerial: '12' }]);
    expect(keyStores({ tokenUri: 'pkcs11:serial=12' })).toEqual([{ clusterId, tokenUri: 'pkcs11:serial=12' }]);
  });

  test.each<[string, object[], RegExp]>([
    ['nothing that says which token', [{}], /a key store needs a tokenLabel, a tokenSerial or a tokenUri/],
    [
      'a PIN file',
      [{ tokenUri: 'pkcs11:?pin-source=file:/pin' }],
      /takes no pin-source: its PIN is the KeyStorePassword of CreateCustomKeyStore/,
    ],
    [
      'a URI and a label',
      [{ tokenUri: 'pkcs11:serial=1', tokenLabel: 'a' }],
      /tokenUri says which token it is: leave out tokenLabel/,
    ],
    ['no URI', [{ tokenUri: 'serial=1' }], /is no PKCS#11 URI/],
    [
      'one token in two spellings',
      [{ tokenLabel: 'a' }, { clusterId: 'cluster-bbbbbbbbbbb', tokenUri: 'pkcs11:token=a' }],
      /two key stores are the same token/,
    ],
  ])('%s is refused', (_what, list, message) => {
    expect(() => keyStores(...list)).toThrow(message);
  });
});
