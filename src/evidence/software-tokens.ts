/** A kind of token that is a program on the machine, and not hardware. */
interface SoftwareToken {
  readonly is: (token: { readonly manufacturer: string }) => boolean;
  /** A sentence. */
  readonly why: string;
}

/** Those that are known; that one is not here says nothing. */
export const softwareTokens: readonly SoftwareToken[] = [
  {
    is: ({ manufacturer }) => manufacturer === 'SoftHSM project',
    why: 'SoftHSM2 is software: keys are files, encrypted by the user PIN, and who owns the machine can get at them past PKCS#11.',
  },
  {
    is: ({ manufacturer }) => manufacturer === 'Mozilla Foundation',
    why: 'NSS softokn is software: keys are rows of a file, and who owns the machine can get at them past PKCS#11.',
  },
];
