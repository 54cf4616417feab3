import { z } from 'zod';
import { parsedJson } from './json-setting.js';
import { type TokenDeclaration, tokenChoice, tokenChoiceSettings, whyUnclear } from './token-choice.js';
import { tokenProfileSetting } from './token-profile.js';

/** A further token, which CreateCustomKeyStore can take as a key store. */
const keyStore = z
  .strictObject({
    /** CloudHsmClusterId: what clients call the token. */
    clusterId: z
      .string()
      .regex(/^cluster-[2-7a-zA-Z]{11,16}$/, 'clusterId is not of the form cluster- and 11 to 16 of 2-7, a-z, A-Z'),
    /** SoftHSM2, where the system has it, by default. */
    pkcs11Module: z.string().min(1).optional(),
    pkcs11Parameters: z.string().min(1).optional(),
    ...tokenChoiceSettings,
    tokenProfile: tokenProfileSetting,
  })
  .superRefine((declared, context) => {
    const fault = whyNoKeyStore(declared);
    if (fault !== undefined) context.addIssue({ code: 'custom', message: fault });
  });

function whyNoKeyStore(declared: TokenDeclaration): string | undefined {
  const { tokenLabel, tokenSerial, tokenUri } = declared;
  if (tokenLabel === undefined && tokenSerial === undefined && tokenUri === undefined) {
    return 'a key store needs a tokenLabel, a tokenSerial or a tokenUri';
  }
  if (tokenUri !== undefined && tokenChoice(declared).pinFile !== undefined) {
    return 'the tokenUri of a key store takes no pin-source: its PIN is the KeyStorePassword of CreateCustomKeyStore';
  }
  return whyUnclear(declared, (name) => name);
}

export type DeclaredKeyStore = z.output<typeof keyStore>;

const keyStores = z
  .array(keyStore, 'is not a list, as in [{"clusterId": "cluster-...", "tokenLabel": "..."}]')
  .refine(
    areDifferent(({ clusterId }) => clusterId),
    'two key stores have the same clusterId',
  )
  .refine(
    areDifferent((declared) => JSON.stringify(tokenChoice(declared))),
    'two key stores are the same token',
  );

function areDifferent(nameOf: (each: DeclaredKeyStore) => string) {
  return (list: readonly DeclaredKeyStore[]) => new Set(list.map(nameOf)).size === list.length;
}

/** The list: as such in the YAML file, as JSON text in the environment and on the command line. */
export const keyStoresSetting = z
  .preprocess((value) => (typeof value === 'string' ? parsedJson(value) : value), keyStores)
  .default([]);
