import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { basename } from 'node:path';
import type { KeySpec } from '@aws-sdk/client-kms';
import type { ControlEvidence, ObjectEvidence, TokenEvidence } from '../../evidence/bundle.js';
import { keySpecs } from '../../keys/key-specs.js';
import type { KeyToken } from '../../keys/key-tokens.js';
import { type ExtractionTrial, listedWays } from '../../token/extraction-trial.js';
import type { KeyObject } from '../../token/object-handles.js';
import { TokenError } from '../../token/return-values.js';
import type { WrappingWay } from '../../token/wrapping-ways.js';
import { attemptsOn, readObject, refusalOf } from './readings.js';

/** An RSA key that may leave stands for longer ones, which take seconds to make. */
const controlledAs: { readonly [S in KeySpec]?: KeySpec } = { RSA_3072: 'RSA_2048', RSA_4096: 'RSA_2048' };

/** A token whose keys are examined: it is tried once, its keys one after the other. */
export class ExaminedToken {
  private readonly trial: ExtractionTrial;
  private readonly ways: readonly WrappingWay[];
  private readonly controls: Record<string, ControlEvidence> = {};

  /** @param moduleFile path of the PKCS#11 module */
  constructor(
    readonly keyToken: KeyToken,
    private readonly moduleFile: string,
  ) {
    this.trial = keyToken.token.extractionTrial();
    this.ways = listedWays(keyToken.token.mechanisms());
  }

  /** To be called before many keys are examined. @throws TokenError */
  listAll(): Promise<void> {
    return this.trial.listAll();
  }

  /** All objects of that class and CKA_ID: none where the token shows none. @throws TokenError */
  examine(object: KeyObject): ObjectEvidence[] {
    return this.trial.objects(object).map((handle) => readObject(this.trial, object.class, handle, this.ways));
  }

  /** Tries on a key of that spec which may leave what is tried on those that may not. @throws TokenError */
  control(keySpec: KeySpec): void {
    this.controls[keySpec] ??= this.controlOf(controlledAs[keySpec] ?? keySpec);
  }

  private controlOf(keySpec: KeySpec): ControlEvidence {
    const row = keySpecs[keySpec];
    if (row.kind === 'unsupported') return { refused: 'CKR_MECHANISM_INVALID', ckr: null };
    try {
      return attemptsOn(this.trial, this.trial.unprotectedKey(row.generate), this.ways);
    } catch (error) {
      if (error instanceof TokenError) return refusalOf(error);
      throw error;
    }
  }

  /** All that is told of the token, when its keys have been examined. @throws TokenError */
  evidence(): TokenEvidence {
    const { token, capabilities } = this.keyToken;
    const { label, manufacturer, model, serialNumber, firmwareVersion } = token.identity;
    const { hardwareVersion, slotDescription, flags, mechanisms } = token.facts();
    const tried = new Set(this.ways.map(({ type }) => type));
    return {
      ...{ label, manufacturer, model, serialNumber, firmwareVersion, hardwareVersion, slotDescription },
      flags: [...flags],
      module: {
        fileName: basename(this.moduleFile),
        sha256: createHash('sha256').update(readFileSync(this.moduleFile)).digest('hex'),
        ...token.moduleFacts(),
      },
      profile: token.profileName,
      unkeptAttributes: [...token.unkeptAttributes],
      mechanisms: mechanisms.map((each) => ({ name: each.name, type: each.type, flags: [...each.flags] })),
      wrappingNotTried: mechanisms
        .filter(({ type, flags: has }) => has.includes('WRAP') && !tried.has(type))
        .map(({ name }) => name),
      algorithms: capabilities.report().map((line) => ({ ...line })),
      controls: this.controls,
    };
  }

  /** Destroys what was made for the trial. */
  end(): void {
    this.trial.end();
  }
}
