import type { KeySpec, KeyUsageType, KMS, OriginType } from '@aws-sdk/client-kms';
import { answered, isNotFound } from './answers.js';
import { Facet } from './facet.js';

export type State = 'Enabled' | 'Disabled' | 'PendingDeletion' | 'PendingImport';
/** What is asked of CreateKey, in full, so that everything about the key is known. */
export interface KeyRequest {
  readonly KeySpec: KeySpec;
  readonly KeyUsage: KeyUsageType;
  readonly Origin: OriginType;
  readonly Description: string;
  readonly Policy: string;
  readonly Tags: { readonly TagKey: string; readonly TagValue: string }[];
}

interface Ciphertext {
  readonly kind: 'ciphertext';
  readonly key: KeyModel;
  readonly blob: Uint8Array;
  readonly plaintext: Buffer;
}

interface Proof<K extends 'signature' | 'MAC'> {
  readonly kind: K;
  readonly key: KeyModel;
  readonly message: Buffer;
  readonly value: Uint8Array;
}

/** Something that was made with a key, and must be good for ever. */
export type Artefact = Ciphertext | Proof<'signature'> | Proof<'MAC'>;

/** A key that a client was told of. */
export class KeyModel {
  readonly state: Facet<State>;
  readonly description: Facet<string>;
  readonly policy: Facet<string>;
  readonly tags: Facet<Readonly<Record<string, string>>>;
  /** Names, which are unique. */
  readonly grants: Facet<readonly string[]>;
  /** Period of the automatic rotation, in days. */
  readonly rotationPeriod: Facet<number | null>;
  /** How often it was rotated on demand. */
  readonly rotations: Facet<number>;
  readonly grantIds = new Map<string, string>();
  /** What is imported into it, the same each time. */
  material: Buffer | undefined;
  publicKey: Buffer | undefined;

  constructor(
    readonly id: string,
    readonly request: KeyRequest,
  ) {
    const { Origin, Description, Policy, Tags } = request;
    const KeyId = id;
    const facet = <V>(what: string, value: V, read: (kms: KMS) => Promise<V>) =>
      new Facet(`${what} of the key ${id} (${request.KeySpec})`, value, (kms) => answered(read(kms)));
    this.state = facet<State>('the state', Origin === 'EXTERNAL' ? 'PendingImport' : 'Enabled', async (kms) => {
      return (await kms.describeKey({ KeyId })).KeyMetadata?.KeyState as State;
    });
    this.description = facet('the description', Description, async (kms) => {
      return (await kms.describeKey({ KeyId })).KeyMetadata?.Description ?? '';
    });
    this.policy = facet('the key policy', Policy, async (kms) => (await kms.getKeyPolicy({ KeyId })).Policy ?? '');
    this.tags = facet<Readonly<Record<string, string>>>('the tags', recordOfTags(Tags), async (kms) =>
      recordOfTags((await kms.listResourceTags({ KeyId, Limit: 50 })).Tags ?? []),
    );
    this.grants = facet<readonly string[]>('the grants', [], async (kms) => {
      const { Grants = [] } = await kms.listGrants({ KeyId, Limit: 100 });
      for (const { Name = '', GrantId = '' } of Grants) this.grantIds.set(Name, GrantId);
      return Grants.map(({ Name = '' }) => Name).sort();
    });
    this.rotationPeriod = facet<number | null>('the rotation period', null, async (kms) => {
      return (await kms.getKeyRotationStatus({ KeyId })).RotationPeriodInDays ?? null;
    });
    this.rotations = facet('the number of rotations', 0, async (kms) => {
      return ((await kms.listKeyRotations({ KeyId, Limit: 100 })).Rotations ?? []).length;
    });
  }

  get isSymmetric(): boolean {
    return this.request.KeySpec === 'SYMMETRIC_DEFAULT';
  }

  get isRotatable(): boolean {
    return this.isSymmetric && this.request.Origin === 'AWS_KMS';
  }

  /** All that can be read of it. */
  facets(): Facet<unknown>[] {
    const { state, description, policy, tags, grants, rotationPeriod, rotations } = this;
    const common = [state, description, policy, tags, grants];
    if (!this.isRotatable) return common as Facet<unknown>[];
    // KMS shows no rotation of a key that is to be deleted
    const isShown = state.certain !== 'PendingDeletion';
    return [...common, rotations, ...(isShown ? [rotationPeriod] : [])] as Facet<unknown>[];
  }
}

/** An alias: the key that it names, or null while there is none. */
export type Alias = Facet<string | null>;

/** Everything that the service's clients were told. */
export class Model {
  readonly keys = new Map<string, KeyModel>();
  readonly aliases = new Map<string, Alias>();
  readonly artefacts: Artefact[] = [];
  /** Keys that may be there, by their description: nobody was told their ids. */
  readonly unansweredKeys = new Map<string, KeyRequest>();

  /** An alias that has not been there yet. */
  alias(name: string): Alias {
    const known = this.aliases.get(name);
    if (known) return known;
    const alias: Alias = new Facet<string | null>(name, null, (kms) =>
      answered(
        kms.describeKey({ KeyId: name }).then(
          ({ KeyMetadata }) => KeyMetadata?.KeyId ?? null,
          (error: unknown) => {
            if (isNotFound(error)) return null;
            throw error;
          },
        ),
      ),
    );
    this.aliases.set(name, alias);
    return alias;
  }

  add(id: string, request: KeyRequest): KeyModel {
    const key = new KeyModel(id, request);
    this.keys.set(id, key);
    return key;
  }
}

function recordOfTags(tags: readonly { TagKey?: string | undefined; TagValue?: string | undefined }[]) {
  return Object.fromEntries(tags.map(({ TagKey = '', TagValue = '' }) => [TagKey, TagValue]).sort());
}
