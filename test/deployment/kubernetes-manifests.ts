import { readdirSync, readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { parseAllDocuments } from 'yaml';

/** What the tests look at of the Kubernetes API's objects. */
export interface Manifest {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly namespace?: string; readonly labels?: Labels };
  readonly [field: string]: unknown;
}

export type Labels = Readonly<Record<string, string>>;

interface Probe {
  readonly httpGet: { readonly path: string; readonly port: string; readonly scheme: string };
  readonly periodSeconds: number;
  readonly timeoutSeconds: number;
  readonly failureThreshold: number;
}

export interface Container {
  readonly name: string;
  readonly image: string;
  readonly command?: readonly string[];
  readonly args?: readonly string[];
  readonly env?: readonly unknown[];
  readonly envFrom?: readonly { readonly configMapRef: { readonly name: string } }[];
  readonly ports?: readonly { readonly name: string; readonly containerPort: number }[];
  readonly volumeMounts: readonly { readonly name: string; readonly mountPath: string; readonly readOnly?: boolean }[];
  readonly securityContext: unknown;
  readonly resources: { readonly requests: Labels; readonly limits: Labels };
  readonly startupProbe: Probe;
  readonly livenessProbe: Probe;
  readonly readinessProbe: Probe;
  readonly lifecycle: { readonly preStop: { readonly exec: { readonly command: readonly string[] } } };
}

interface Volume {
  readonly name: string;
  readonly emptyDir?: unknown;
  readonly configMap?: { readonly name: string };
  readonly secret?: { readonly secretName: string; readonly defaultMode: number };
}

export interface PodSpec {
  readonly serviceAccountName: string;
  readonly automountServiceAccountToken: boolean;
  readonly enableServiceLinks: boolean;
  readonly securityContext: unknown;
  readonly terminationGracePeriodSeconds: number;
  readonly topologySpreadConstraints: readonly {
    readonly topologyKey: string;
    readonly labelSelector: { readonly matchLabels: Labels };
  }[];
  readonly initContainers: readonly Container[];
  readonly containers: readonly [Container];
  readonly volumes: readonly Volume[];
  readonly restartPolicy?: string;
}

/** A StatefulSet or a Job. */
export interface Workload extends Manifest {
  readonly spec: {
    readonly replicas?: number;
    readonly selector?: { readonly matchLabels: Labels };
    readonly volumeClaimTemplates?: readonly {
      readonly metadata: { readonly name: string };
      readonly spec: { readonly resources: { readonly requests: { readonly storage: string } } };
    }[];
    readonly backoffLimit?: number;
    readonly template: {
      readonly metadata: { readonly labels: Labels; readonly annotations?: Labels };
      readonly spec: PodSpec;
    };
  };
}

export const directory = resolve(import.meta.dirname, '../../docs/kubernetes');
export const files = readdirSync(directory).filter((name) => name.endsWith('.yaml'));

/** Every object of every file. Kubernetes reads YAML 1.1, in which 0440 is octal. */
export const manifests = files.flatMap((file) =>
  parseAllDocuments(readFileSync(resolve(directory, file), 'utf8'), { version: '1.1', strict: true }).map(
    (document) => {
      if (document.errors[0]) throw document.errors[0];
      return document.toJS() as Manifest;
    },
  ),
);

/** The object of a kind and a name. @throws Error when it is not there once */
export function manifest<M extends Manifest>(kind: string, name = 'hsm-kms'): M {
  const [found, ...others] = manifests.filter((each) => each.kind === kind && each.metadata.name === name);
  if (found === undefined || others.length > 0) throw new Error(`there is not one ${kind} ${name}`);
  return found as M;
}

export const workloads = manifests.filter(({ kind }) => ['StatefulSet', 'Job'].includes(kind)) as Workload[];
