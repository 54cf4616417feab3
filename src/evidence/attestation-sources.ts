/**
 * A vendor's attestation of a key: a statement by the hardware, signed by a key that the vendor certifies. This program
 * attaches it unread; a person checks it with the vendor's tools. An adapter that checks one would belong here, and would
 * have to name what it checks.
 */
export interface AttestationSource {
  readonly name: string;
  /** Whether a token may be of this vendor. */
  readonly is: (token: { readonly manufacturer: string; readonly model: string }) => boolean;
  /** How the file is had. */
  readonly howToGetIt: string;
  /** What a person does with it, and what it says then: sentences. */
  readonly whatToDo: string;
}

const any = () => true;
const made = (...parts: readonly string[]): AttestationSource['is'] => {
  const pattern = new RegExp(parts.join('|'), 'i');
  return ({ manufacturer, model }) => pattern.test(manufacturer) || pattern.test(model);
};

/** The first that may be the vendor's is taken. None was tried with hardware; each is as its vendor documents it. */
export const attestationSources: readonly AttestationSource[] = [
  {
    name: 'Thales Luna PKC',
    is: made('SafeNet', 'Thales', 'Luna'),
    howToGetIt: 'cmu getpkc',
    whatToDo:
      'It should be a PKCS#7 chain (public key confirmation). Verify it up to the Thales root certificate, had from Thales itself, compare the public key in its last certificate with the one shown here, and read there that the key was generated in the HSM.',
  },
  {
    name: 'Entrust nShield key attestation bundle',
    is: made('nCipher', 'nShield', 'Entrust'),
    howToGetIt: 'nfkmattest bundle',
    whatToDo:
      'Type nfkmattest verify with the file, and compare the public key and the serial number that it prints with those shown here. There are none of symmetric keys.',
  },
  {
    name: 'YubiHSM 2 attestation certificate',
    is: made('Yubico', 'YubiHSM'),
    howToGetIt: 'yubihsm-shell, action sign-attestation-certificate',
    whatToDo:
      'It should be an X.509 certificate. Verify it up to the YubiHSM attestation root certificate, had from Yubico itself, compare its public key with the one shown here, and read origin and capabilities of the key in its extensions. There are none of symmetric keys.',
  },
  {
    name: 'AWS CloudHSM',
    is: made('CloudHSM', 'Cavium', 'Marvell'),
    howToGetIt: 'the certificates of the cluster, as AWS documents them for verifying its identity',
    whatToDo:
      'They prove whose HSM the cluster is, and not what a key is: verify them as AWS documents it; that the key is there remains the word of the token.',
  },
  {
    name: 'Utimaco',
    is: made('Utimaco', 'CryptoServer'),
    howToGetIt: "as the HSM's own documentation says",
    whatToDo:
      "Verify it as the HSM's own documentation says, and compare the public key in it with the one shown here.",
  },
  {
    name: 'unknown',
    is: any,
    howToGetIt: 'as its vendor documents it',
    whatToDo: 'Verify it as its vendor documents it, and compare the public key in it with the one shown here.',
  },
];

/** Whose attestation a token would have. */
export function attestationSourceOf(token: {
  readonly manufacturer: string;
  readonly model: string;
}): AttestationSource {
  const found = attestationSources.find((each) => each.is(token));
  if (found === undefined) throw new Error('the last source takes any token');
  return found;
}
