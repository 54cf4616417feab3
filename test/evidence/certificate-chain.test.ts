import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from '@jest/globals';
import { certificatesOf, faultOfChain } from '../../src/evidence/certificate-chain.js';
import { OpenSsl } from '../service/openssl.js';

const openssl = new OpenSsl();
afterAll(() => openssl.end());

const file = (name: string) => join(openssl.directory, name);
const pem = (name: string) => readFileSync(file(`${name}.pem`), 'utf8');
const ca = 'basicConstraints=critical,CA:TRUE';
const caUsage = 'keyUsage=critical,keyCertSign';

/** A certificate by openssl. @param issuer undefined for one that signs itself; its file is NAME.pem */
function certificate(name: string, issuer: string | undefined, extensions: readonly string[], days = '2'): void {
  openssl.file(`${name}.ext`, `${extensions.join('\n')}\n`);
  openssl.run('genpkey', '-algorithm', 'EC', '-pkeyopt', 'ec_paramgen_curve:P-256', '-out', `${name}.key`);
  openssl.run('req', '-new', '-key', `${name}.key`, '-subj', `/CN=${name}`, '-out', `${name}.csr`);
  const by = issuer === undefined ? ['-key', `${name}.key`] : ['-CA', `${issuer}.pem`, '-CAkey', `${issuer}.key`];
  const made = ['-in', `${name}.csr`, '-days', days, '-extfile', `${name}.ext`, '-out', `${name}.pem`];
  openssl.run('x509', '-req', ...by, ...made);
}

/** Whether openssl, which knows no anchors but roots, takes it as well. */
function opensslTakes(root: string, beneath: readonly string[], leaf: string): boolean {
  openssl.file('beneath.pem', beneath.map(pem).join(''));
  const untrusted = beneath.length > 0 ? ['-untrusted', 'beneath.pem'] : [];
  try {
    openssl.run('verify', '-CAfile', `${root}.pem`, ...untrusted, `${leaf}.pem`);
    return true;
  } catch {
    return false;
  }
}

certificate('root', undefined, [ca, caUsage]);
certificate('flat', undefined, [`${ca},pathlen:0`, caUsage]);
certificate('constrained', undefined, [ca, caUsage, 'nameConstraints=critical,permitted;DNS:example.com']);
certificate('sub', 'root', [ca, caUsage]);
certificate('sub-of-flat', 'flat', [ca, caUsage]);
certificate('no-ca', 'root', ['basicConstraints=CA:FALSE']);
certificate('no-issuer', 'root', [ca, 'keyUsage=critical,digitalSignature']);

const plain = ['basicConstraints=CA:FALSE', 'keyUsage=digitalSignature'];
interface Case {
  readonly what: string;
  readonly root: string;
  readonly beneath?: readonly string[];
  readonly extensions?: readonly string[];
  readonly days?: string;
  /** Undefined where it is trusted. */
  readonly fault?: RegExp;
  /** Where openssl, which does not know what it is for, decides otherwise. */
  readonly opensslTakes?: boolean;
}
const cases: readonly Case[] = [
  { what: 'one of a root', root: 'root' },
  { what: 'one of a CA beneath a root', root: 'root', beneath: ['sub'] },
  { what: 'one that is for documents', root: 'root', extensions: [...plain, 'extendedKeyUsage=1.3.6.1.5.5.7.3.36'] },
  { what: 'one that says nothing of its use', root: 'root', extensions: ['basicConstraints=CA:FALSE'] },
  {
    what: 'one of a CA beneath a root that may have none beneath it',
    ...{ root: 'flat', beneath: ['sub-of-flat'], fault: /is not trusted/ },
  },
  { what: 'one of what is no CA', root: 'root', beneath: ['no-ca'], fault: /is not trusted/ },
  { what: 'one of a CA that may sign no certificates', root: 'root', beneath: ['no-issuer'], fault: /is not trusted/ },
  {
    what: 'one of a CA with name constraints, which are not looked at',
    ...{ root: 'constrained', fault: /has a critical extension that is not understood here \(2\.5\.29\.30\)/ },
    opensslTakes: true,
  },
  {
    what: 'one that is for a TLS server',
    ...{ root: 'root', extensions: [...plain, 'extendedKeyUsage=serverAuth'], fault: /was issued for other purposes/ },
    opensslTakes: true,
  },
  {
    what: 'one that signs certificates only',
    ...{ root: 'root', extensions: [ca, caUsage], fault: /is not for signatures/, opensslTakes: true },
  },
  { what: 'one that is over', root: 'root', days: '-1', fault: /was not valid at/ },
];

describe.each(cases)('$what', ({ root, beneath = [], extensions = plain, days, fault, ...expected }) => {
  test(`is ${fault ? 'not trusted' : 'trusted'}`, () => {
    certificate('leaf', beneath.at(-1) ?? root, extensions, days);
    const chain = ['leaf', ...beneath.toReversed()].flatMap((name) => certificatesOf(pem(name)));
    const found = faultOfChain(chain, certificatesOf(pem(root)), new Date());
    if (fault === undefined) expect(found).toBeUndefined();
    else expect(found).toMatch(fault);
    expect(opensslTakes(root, beneath, 'leaf')).toBe(expected.opensslTakes ?? fault === undefined);
  });
});
