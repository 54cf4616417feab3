import { randomBytes, randomUUID } from 'node:crypto';
import type { KeySpec } from '@aws-sdk/client-kms';
import { nobodyNamed } from '../authorization/named-principals.js';
import { KmsError } from '../contract/kms-error.js';
import type { GeneratedKey } from '../token/key-maker.js';
import type { KeyPermissions, KeyUse } from '../token/key-templates.js';
import type { MechanismName } from '../token/mechanisms.js';
import type { Token } from '../token/token.js';
import { type KeyRecord, newMaterial } from './key-record.js';
import { type AlgorithmsOfUsage, type KeySpecRow, keySpecs, type SupportedUsage } from './key-specs.js';
import { expectVerdict, untilClear } from './probe-errors.js';
import { SelfTestError, selfTest } from './self-test.js';

/** An algorithm as every usage has it. */
interface Way {
  readonly mechanisms: readonly MechanismName[];
  readonly outside?: string;
}

type WayOf<U extends SupportedUsage> =
  NonNullable<AlgorithmsOfUsage[U][keyof AlgorithmsOfUsage[U]]> extends readonly (infer W)[] ? W : never;

/** What the probe found: the way that works, or why there is none. */
type Finding = { readonly way: Way } | { readonly reason: string };

/** Where an algorithm runs, for people: a line of the capability report. */
export interface CapabilityLine {
  readonly spec: KeySpec;
  readonly usage: SupportedUsage | undefined;
  readonly algorithm: string | undefined;
  readonly where: 'in the token' | 'split' | 'not available';
  /** What is outside the token, or why it is not available. */
  readonly detail: string;
}

/** What each usage lets a key do in the token. */
const usesOfUsage: Record<SupportedUsage, readonly KeyUse[]> = {
  ENCRYPT_DECRYPT: ['encrypt'],
  SIGN_VERIFY: ['sign'],
  GENERATE_VERIFY_MAC: ['sign'],
  KEY_AGREEMENT: ['derive'],
};

/** RSA keys of 3072 and 4096 bits take seconds to make; what a token can do with 2048 it can do with these. */
const probedAs: { readonly [S in KeySpec]?: KeySpec } = { RSA_3072: 'RSA_2048', RSA_4096: 'RSA_2048' };

export interface ProbePolicy {
  /** False forbids ways that have a part outside the token. */
  readonly allowSplit: boolean;
  /** Only these are tried and offered; all, when left out. */
  readonly specs?: readonly KeySpec[];
}

/**
 * What one token can do of KMS, found by trying: mechanism lists lie. An algorithm is offered only when its probe
 * passed at the start of this process.
 */
export class Capabilities {
  private readonly findings = new Map<string, Finding>();

  private constructor(
    private readonly token: Token,
    private readonly policy: ProbePolicy,
  ) {}

  /**
   * Tries every key spec and algorithm on session objects; some 300 ms with SoftHSM2.
   *
   * @throws ProbeError when the token fails so that nothing is known of it: it must not offer less for that
   */
  static async probe(token: Token, policy: ProbePolicy): Promise<Capabilities> {
    const capabilities = new Capabilities(token, policy);
    for (const [spec, row] of Object.entries(keySpecs) as [KeySpec, KeySpecRow][]) {
      if (row.kind === 'unsupported' || probedAs[spec] || policy.specs?.includes(spec) === false) continue;
      for (const usage of Object.keys(row.usages) as SupportedUsage[]) {
        await untilClear(token, `${spec} ${usage}`, (isLast) => capabilities.probeUsage(spec, row, usage, isLast));
      }
    }
    return capabilities;
  }

  /**
   * How an algorithm is done with keys of this spec and usage.
   *
   * @throws KmsError UnsupportedOperationException where this token cannot do it; InvalidKeyUsageException where no key
   * of this spec and usage has the algorithm
   */
  algorithm<U extends SupportedUsage>(spec: KeySpec, usage: U, name: string): WayOf<U> {
    const finding = this.findings.get(findingName(spec, usage, name)) ?? this.findingOfLargerKey(spec, usage, name);
    if (finding === undefined) {
      throw new KmsError('InvalidKeyUsageException', `Algorithm ${name} is incompatible with key spec ${spec}.`);
    }
    if ('reason' in finding) {
      throw new KmsError('UnsupportedOperationException', `The token does not offer ${name}: ${finding.reason}.`);
    }
    return finding.way as WayOf<U>;
  }

  /** Names of the algorithms that keys of this spec and usage have in this token. */
  offered(spec: KeySpec, usage: SupportedUsage): string[] {
    const row = keySpecs[spec];
    if (row.kind === 'unsupported') return [];
    return Object.keys(row.usages[usage] ?? {}).filter((name) => {
      const finding = this.findings.get(findingName(spec, usage, name)) ?? this.findingOfLargerKey(spec, usage, name);
      return finding !== undefined && 'way' in finding;
    });
  }

  /** What a new key of this spec and usage may be used for in the token: no more than its algorithms need. */
  permissions(spec: KeySpec, usage: SupportedUsage): KeyPermissions {
    const ways = this.offered(spec, usage).map((name) => this.algorithm(spec, usage, name) as Way);
    return { uses: usesOfUsage[usage], mechanisms: [...new Set(ways.flatMap((way) => way.mechanisms))] };
  }

  report(): CapabilityLine[] {
    return (Object.entries(keySpecs) as [KeySpec, KeySpecRow][]).flatMap(([spec, row]): CapabilityLine[] => {
      if (row.kind === 'unsupported') {
        return [{ spec, usage: undefined, algorithm: undefined, where: 'not available', detail: row.reason }];
      }
      return (Object.keys(row.usages) as SupportedUsage[]).flatMap((usage) =>
        Object.keys(row.usages[usage] ?? {}).map((algorithm) => this.reportLine(spec, usage, algorithm)),
      );
    });
  }

  private reportLine(spec: KeySpec, usage: SupportedUsage, algorithm: string): CapabilityLine {
    const finding =
      this.findings.get(findingName(spec, usage, algorithm)) ?? this.findingOfLargerKey(spec, usage, algorithm);
    const line = { spec, usage, algorithm } as const;
    if (finding === undefined || 'reason' in finding) {
      return { ...line, where: 'not available', detail: finding?.reason ?? 'it was not probed' };
    }
    const { outside } = finding.way;
    return outside
      ? { ...line, where: 'split', detail: `${outside} is done outside the token` }
      : { ...line, where: 'in the token', detail: finding.way.mechanisms.map((name) => `CKM_${name}`).join(', ') };
  }

  /** The way of an RSA key that was not probed itself stands at the same place as that of the key that was. */
  private findingOfLargerKey(spec: KeySpec, usage: SupportedUsage, name: string): Finding | undefined {
    const probed = probedAs[spec];
    if (probed === undefined) return undefined;
    const finding = this.findings.get(findingName(probed, usage, name));
    if (finding === undefined || 'reason' in finding) return finding;
    const way = waysOf(keySpecs[spec], usage, name)[waysOf(keySpecs[probed], usage, name).indexOf(finding.way)];
    if (way === undefined) return undefined;
    this.findings.set(findingName(spec, usage, name), { way });
    return { way };
  }

  private async probeUsage(
    spec: KeySpec,
    row: Exclude<KeySpecRow, { kind: 'unsupported' }>,
    usage: SupportedUsage,
    isLastAttempt: boolean,
  ): Promise<void> {
    const names = Object.keys(row.usages[usage] ?? {});
    const id = randomBytes(32);
    try {
      const mechanisms = names.flatMap((name) => waysOf(row, usage, name).flatMap((way) => way.mechanisms));
      const generated = await this.token.probe.generate(
        row.generate,
        { id, label: 'hsm-kms probe' },
        { uses: usesOfUsage[usage], mechanisms: [...new Set(mechanisms)] },
      );
      const key = probeRecord(spec, usage, row, id, generated);
      for (const name of names) {
        this.findings.set(
          findingName(spec, usage, name),
          await this.firstThatWorks(key, usage, waysOf(row, usage, name), isLastAttempt),
        );
      }
    } catch (error) {
      expectVerdict(this.token, error, isLastAttempt);
      const reason = `it makes no such key (${(error as Error).message})`;
      for (const name of names) this.findings.set(findingName(spec, usage, name), { reason });
    } finally {
      this.token.probe.forget(id);
    }
  }

  private async firstThatWorks(
    key: KeyRecord,
    usage: SupportedUsage,
    ways: readonly Way[],
    isLastAttempt: boolean,
  ): Promise<Finding> {
    let reason = 'there is no way to do it';
    for (const way of ways) {
      if (way.outside && !this.policy.allowSplit) {
        reason = `${way.outside} would be done outside the token, which the setting splitOaep forbids`;
        continue;
      }
      try {
        await this.selfTestTwice(key, usage, way);
        return { way };
      } catch (error) {
        expectVerdict(this.token, error, isLastAttempt);
        reason = (error as Error).message;
      }
    }
    return { reason };
  }

  /** A wrong result is looked at twice: what a token that is out of order for a moment says can look like one. */
  private async selfTestTwice(key: KeyRecord, usage: SupportedUsage, way: Way): Promise<void> {
    try {
      await selfTest(this.token, key, usage, way);
    } catch (error) {
      if (!(error instanceof SelfTestError)) throw error;
      await selfTest(this.token, key, usage, way);
    }
  }
}

function findingName(spec: KeySpec, usage: SupportedUsage, algorithm: string): string {
  return `${spec}/${usage}/${algorithm}`;
}

function waysOf(row: KeySpecRow, usage: SupportedUsage, name: string): readonly Way[] {
  if (row.kind === 'unsupported') return [];
  return (row.usages[usage] as Readonly<Record<string, readonly Way[]>> | undefined)?.[name] ?? [];
}

function probeRecord(
  spec: KeySpec,
  usage: SupportedUsage,
  row: Exclude<KeySpecRow, { kind: 'unsupported' }>,
  id: Buffer,
  { publicValue }: GeneratedKey,
): KeyRecord {
  const now = new Date();
  const material = newMaterial(id, row.kind === 'pair' ? row.encodePublic(publicValue) : undefined, now);
  return {
    id: randomUUID(),
    arn: '',
    spec,
    usage,
    origin: 'AWS_KMS',
    state: 'Creating',
    description: '',
    policy: { text: '', principals: nobodyNamed },
    createdAt: now,
    deletionAt: undefined,
    pendingWindowDays: undefined,
    multiRegion: false,
    currentMaterial: material,
    customKeyStoreId: undefined,
    rotation: undefined,
    materials: new Map([[material.id, material]]),
    tags: new Map(),
    aliases: [],
    version: 0,
  };
}
