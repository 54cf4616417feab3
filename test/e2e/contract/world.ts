import { generateKeyPairSync } from 'node:crypto';
import type { CreateKeyRequest } from '@aws-sdk/client-kms';
import { Service } from '../../service/service.js';
import { Wire } from './wire.js';

export const kinds = {
  symmetric: {},
  signing: { KeySpec: 'ECC_NIST_P256', KeyUsage: 'SIGN_VERIFY' },
  mac: { KeySpec: 'HMAC_256', KeyUsage: 'GENERATE_VERIFY_MAC' },
  agreement: { KeySpec: 'ECC_NIST_P256', KeyUsage: 'KEY_AGREEMENT' },
  /** Waits for its key material. */
  external: { Origin: 'EXTERNAL' },
  /** Pending deletion. */
  pending: {},
  /** Is disabled and enabled. */
  toggled: {},
} as const satisfies Record<string, CreateKeyRequest>;

/** Kinds of keys that operations work with. */
export type Kind = keyof typeof kinds;

interface Key {
  readonly KeyId: string;
  readonly Arn: string;
}

/** A service, and what valid requests name: made once. Blobs are base64. */
export class World {
  readonly keys = {} as Record<Kind, Key>;
  readonly bytes = Buffer.from('message').toString('base64');
  readonly publicKey = generateKeyPairSync('ec', { namedCurve: 'P-256' })
    .publicKey.export({ format: 'der', type: 'spki' })
    .toString('base64');
  ciphertext = '';
  signature = '';
  mac = '';
  policy = '';
  private aliases = 0;

  private constructor(
    readonly service: Service,
    readonly wire: Wire,
  ) {}

  /** Over a service that needs no signatures. */
  static async make(): Promise<World> {
    const service = await Service.start({ flags: ['--insecure-no-auth', '--log-level', 'warn'] });
    return World.over(service, new Wire(service));
  }

  /** @param wire of an administrator */
  static async over(service: Service, wire: Wire): Promise<World> {
    const world = new World(service, wire);
    for (const [kind, input] of Object.entries(kinds) as [Kind, CreateKeyRequest][]) {
      world.keys[kind] = await service.newKey(input);
      await world.answer('CreateAlias', { AliasName: `alias/${kind}`, TargetKeyId: world.keys[kind].KeyId });
    }
    const { symmetric, signing, mac, pending } = world.keys;
    const Message = world.bytes;
    await world.answer('ScheduleKeyDeletion', { KeyId: pending.KeyId });
    const encrypted = await world.answer('Encrypt', { KeyId: symmetric.KeyId, Plaintext: Message });
    world.ciphertext = encrypted.CiphertextBlob as string;
    const signed = { KeyId: signing.KeyId, Message, SigningAlgorithm: 'ECDSA_SHA_256' };
    world.signature = (await world.answer('Sign', signed)).Signature as string;
    const authenticated = { KeyId: mac.KeyId, Message, MacAlgorithm: 'HMAC_SHA_256' };
    world.mac = (await world.answer('GenerateMac', authenticated)).Mac as string;
    world.policy = (await world.answer('GetKeyPolicy', { KeyId: symmetric.KeyId })).Policy as string;
    return world;
  }

  newAlias(): string {
    return `alias/new-${++this.aliases}`;
  }

  /** What the service answers. @throws Error when it refuses */
  async answer(operation: string, input: object): Promise<Readonly<Record<string, unknown>>> {
    const { status, name, message, body } = await this.wire.ask(operation, input);
    if (status !== 200) throw new Error(`${operation}: ${name} ${message}`);
    return body;
  }

  async end(): Promise<void> {
    this.wire.end();
    await this.service.end();
  }
}
