import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { formatPkcs11Uri, Pkcs11UriError, parsePkcs11Uri, type TokenAttributes } from '../../src/config/pkcs11-uri.js';

describe('what RFC 7512 allows', () => {
  test.each<[string, ReturnType<typeof parsePkcs11Uri>]>([
    ['pkcs11:', { token: {} }],
    ['PKCS11:token=a', { token: { label: 'a' } }],
    ['pkcs11:token=The%20Software%20PKCS%2311%20Softtoken', { token: { label: 'The Software PKCS#11 Softtoken' } }],
    // RFC 7512, section 3
    [
      'pkcs11:token=Software%20PKCS%2311%20softtoken;manufacturer=Snake%20Oil,%20Inc.?pin-source=file:/etc/token_pin',
      {
        token: { label: 'Software PKCS#11 softtoken', manufacturer: 'Snake Oil, Inc.' },
        pinFile: '/etc/token_pin',
      },
    ],
    [
      'pkcs11:slot-description=Sun%20Metaslot;slot-manufacturer=S;slot-id=327',
      { token: { slotDescription: 'Sun Metaslot', slotManufacturer: 'S', slotId: 327 } },
    ],
    [
      'pkcs11:library-manufacturer=Snake%20Oil,%20Inc.;library-description=Soft%20Token%20Library;library-version=1.23',
      {
        token: {
          libraryManufacturer: 'Snake Oil, Inc.',
          libraryDescription: 'Soft Token Library',
          libraryVersion: '1.23',
        },
      },
    ],
    [
      'pkcs11:serial=DECC0401648?module-path=/usr/lib/pkcs11/lib.so&module-name=snakeoil&vendor-x=1&vendor-x=2',
      { token: { serialNumber: 'DECC0401648' }, modulePath: '/usr/lib/pkcs11/lib.so', moduleName: 'snakeoil' },
    ],
    ['pkcs11:model=a&b', { token: { model: 'a&b' } }],
    ['pkcs11:token=%C3%BCber%3B', { token: { label: 'über;' } }],
    ['pkcs11:token=', { token: { label: '' } }],
    ['pkcs11:?pin-source=file:///etc/pin', { token: {}, pinFile: '/etc/pin' }],
    ['pkcs11:?pin-source=file://localhost/etc/pin', { token: {}, pinFile: '/etc/pin' }],
    ['pkcs11:?pin-source=/etc/a%20pin', { token: {}, pinFile: '/etc/a pin' }],
    ['pkcs11:?module-path=a?b/c|d', { token: {}, modulePath: 'a?b/c|d' }],
  ])('%s', (uri, parsed) => {
    expect(parsePkcs11Uri(uri)).toEqual(parsed);
  });
});

describe('what is refused', () => {
  test.each<[string, RegExp]>([
    ['token=a', /is no PKCS#11 URI/],
    ['', /is no PKCS#11 URI/],
    ['http://token=a', /is no PKCS#11 URI/],
    ['pkcs11:token=a;token=a', /has the attribute token twice/],
    ['pkcs11:?module-path=/a&module-path=/a', /has the attribute module-path twice/],
    ['pkcs11:tokne=a', /has the unknown attribute tokne: a token is named by token, serial/],
    ['pkcs11:x-vendor=a', /has the unknown attribute x-vendor/],
    ['pkcs11:constructor=a', /has the unknown attribute constructor/],
    ['pkcs11:__proto__=a', /has the unknown attribute __proto__/],
    ['pkcs11:Token=a', /has the unknown attribute Token/],
    ['pkcs11:token=a;object=key', /names an object \(object\)/],
    ['pkcs11:token=a;type=private', /names an object \(type\)/],
    ['pkcs11:token=a;id=%01', /names an object \(id\)/],
    ['pkcs11:token', /has "token" where name=value is expected/],
    ['pkcs11:token=a;', /has "" where name=value is expected/],
    ['pkcs11:=a', /has "=a" where name=value is expected/],
    ['pkcs11:token=a b', /has a character in token that must be written as %/],
    ['pkcs11:token=a/b', /has a character in token/],
    ['pkcs11:token=a%2', /has a character in token/],
    ['pkcs11:token=a%zz', /has a character in token/],
    ['pkcs11:token=%FF', /has a value of token that is no UTF-8/],
    ['pkcs11:slot-id=1a', /has a slot-id that is no number/],
    ['pkcs11:slot-id=', /has a slot-id that is no number/],
    ['pkcs11:library-version=1.2.3', /has a library-version that is not of the form/],
    ['pkcs11:?pin-value=1234', /has a pin-value, which would put the PIN into the configuration/],
    ['pkcs11:?pin-source=%7C/usr/lib/pinomatic', /has a pin-source that is no file of this machine/],
    ['pkcs11:?pin-source=file://elsewhere/pin', /has a pin-source that is no file of this machine/],
    ['pkcs11:?pin-source=pin', /has a pin-source that is no file of this machine/],
    ['pkcs11:?module-name=/usr/lib/a.so', /has a module-name that is no name of a library/],
    ['pkcs11:?module-name=', /has a module-name that is no name of a library/],
    ['pkcs11:?module-path=', /has an empty module-path/],
  ])('%s', (uri, message) => {
    expect(() => parsePkcs11Uri(uri)).toThrow(message);
    expect(() => parsePkcs11Uri(uri)).toThrow(Pkcs11UriError);
  });

  test('a PIN in the URI is not told again', () => {
    expect(() => parsePkcs11Uri('pkcs11:?pin-value=sesame')).not.toThrow(/sesame/);
  });
});

describe('any token', () => {
  const text = fc.string({ unit: 'binary', maxLength: 40 });
  const version = fc.tuple(fc.nat(255), fc.nat(99)).map(([major, minor]) => `${major}.${minor}`);
  const tokens: fc.Arbitrary<TokenAttributes> = fc.record(
    {
      label: text,
      serialNumber: text,
      manufacturer: text,
      model: text,
      slotId: fc.nat(),
      slotDescription: text,
      slotManufacturer: text,
      libraryDescription: text,
      libraryManufacturer: text,
      libraryVersion: version,
    },
    { requiredKeys: [] },
  );

  test('has a URI that says the same', () => {
    fc.assert(fc.property(tokens, (token) => expect(parsePkcs11Uri(formatPkcs11Uri(token))).toEqual({ token })));
  });

  test('has the same URI when more is percent-encoded', () => {
    const encodedAll = (value: string) => value.replace(/[a-z]/g, (letter) => `%${letter.charCodeAt(0).toString(16)}`);
    fc.assert(
      fc.property(fc.stringMatching(/^[a-zA-Z0-9]*$/), (label) =>
        expect(parsePkcs11Uri(`pkcs11:token=${encodedAll(label)}`)).toEqual({ token: { label } }),
      ),
    );
  });

  test('order does not matter', () => {
    fc.assert(
      fc.property(fc.shuffledSubarray(['token=a', 'serial=b', 'model=c', 'slot-id=4']), (attributes) =>
        expect(parsePkcs11Uri(`pkcs11:${attributes.join(';')}`)).toEqual(
          parsePkcs11Uri(`pkcs11:${[...attributes].reverse().join(';')}`),
        ),
      ),
    );
  });
});

test('any other text is refused in a clause, or parsed; nothing else is thrown', () => {
  const near = fc
    .array(fc.constantFrom('token', 'serial', 'pin-source', '=', ';', '&', '?', '%', '%20', 'file:/x', 'é', ' ', '1'))
    .map((parts) => `pkcs11:${parts.join('')}`);
  fc.assert(
    fc.property(fc.oneof(near, fc.string()), (uri) => {
      try {
        parsePkcs11Uri(uri);
      } catch (error) {
        expect(error).toBeInstanceOf(Pkcs11UriError);
        expect((error as Error).message).toMatch(/^(is|has|names) [^\n]+[^.]$/);
      }
    }),
  );
});
