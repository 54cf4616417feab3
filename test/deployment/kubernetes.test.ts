import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { hasPassword } from '../../src/config/database-url.js';
import { checkListener } from '../../src/config/listener.js';
import { loadSettings } from '../../src/config/load-settings.js';
import { environmentName, settingNames } from '../../src/config/settings.js';
import {
  type Container,
  directory,
  files,
  type Labels,
  type Manifest,
  manifest,
  manifests,
  type PodSpec,
  type Workload,
  workloads,
} from './kubernetes-manifests.js';

const nodes = manifest<Workload>('StatefulSet');
const nodePod = nodes.spec.template;
const [node] = nodePod.spec.containers;
const environment = manifest<Manifest & { data: Labels }>('ConfigMap').data;
const port = Number(environment.HSM_KMS_PORT);
const { settings } = loadSettings({ environment });

const pods = workloads.map((workload): [name: string, pod: PodSpec, workload: Workload] => [
  workload.metadata.name === 'hsm-kms' ? 'node' : workload.metadata.name,
  workload.spec.template.spec,
  workload,
]);
const containers = pods.flatMap(([name, { initContainers, containers: main }]) =>
  [...initContainers, ...main].map((each): [name: string, container: Container] => [`${name}: ${each.name}`, each]),
);
const isWithin = (path: string, directory: string) => path === directory || path.startsWith(`${directory}/`);
const includes = (labels: Labels, selected: Labels) =>
  Object.entries(selected).every(([name, value]) => labels[name] === value);

test('the objects are these, in versions of the API that are not going away', () => {
  expect(manifests.map(({ apiVersion, kind, metadata }) => `${apiVersion} ${kind} ${metadata.name}`).sort()).toEqual([
    'apps/v1 StatefulSet hsm-kms',
    'batch/v1 Job hsm-kms-init',
    'batch/v1 Job hsm-kms-migrate',
    'networking.k8s.io/v1 NetworkPolicy hsm-kms',
    'policy/v1 PodDisruptionBudget hsm-kms',
    'v1 ConfigMap hsm-client',
    'v1 ConfigMap hsm-kms',
    'v1 ConfigMap hsm-kms-database-ca',
    'v1 Namespace hsm-kms',
    'v1 Secret hsm-kms-database',
    'v1 Secret hsm-kms-tls',
    'v1 Secret hsm-kms-token',
    'v1 Service hsm-kms',
    'v1 ServiceAccount hsm-kms',
  ]);
  for (const { kind, metadata } of manifests) {
    if (kind !== 'Namespace') expect([kind, metadata.namespace]).toEqual([kind, 'hsm-kms']);
  }
});

describe('settings', () => {
  const names = new Set<string>(settingNames.map(environmentName));

  test.each([...files, 'README.md'])('every name in %s is a setting', (file) => {
    const named = readFileSync(join(directory, file), 'utf8').match(/\b(HSM_KMS_[A-Z0-9_]+|DATABASE_URL)\b/g) ?? [];
    expect(named.filter((name) => !names.has(name))).toEqual([]);
  });

  test('are accepted by the service, and serve over TLS only', () => {
    expect(() => checkListener(settings)).not.toThrow();
    expect(settings).toMatchObject({ allowPlainHttp: false, metrics: 'everyone', port });
    expect(settings.insecureNoAuth).toBe(false);
  });

  test('reach PostgreSQL with a verified certificate, and hold no password', () => {
    const url = new URL(settings.databaseUrl as string);
    expect(url.searchParams.get('sslmode')).toBe('verify-full');
    expect(hasPassword(url.href)).toBe(false);
    expect(settings.databasePasswordFile).toBeDefined();
  });

  test('name files that are mounted, from volumes and keys of Secrets and ConfigMaps that there are', () => {
    const { databaseUrl, tlsCertificateFile, tlsKeyFile, databasePasswordFile, tokenPinFile } = settings;
    const ca = new URL(databaseUrl as string).searchParams.get('sslrootcert');
    for (const file of [ca, tlsCertificateFile, tlsKeyFile, databasePasswordFile, tokenPinFile]) {
      expect(keysAt(nodePod.spec, file as string)).toContain(file?.split('/').at(-1));
    }
  });

  test('name a PKCS#11 library where an image is copied to', () => {
    const [module] = nodePod.spec.volumes.filter(({ emptyDir, name }) => emptyDir && name === 'pkcs11-module');
    const mount = node.volumeMounts.find(({ name }) => name === module?.name);
    expect(isWithin(settings.pkcs11Module as string, mount?.mountPath as string)).toBe(true);
  });

  test('fit what the pod is given', () => {
    expect(settings.workers).toBe(Number(node.resources.limits.cpu));
    const waits = Number(node.lifecycle.preStop.exec.command.at(-1));
    expect(nodePod.spec.terminationGracePeriodSeconds * 1000).toBeGreaterThanOrEqual(
      waits * 1000 + settings.drainMilliseconds + 5_000,
    );
  });
});

/** Names of files that a pod's container has in the directory of a path. */
function keysAt({ containers: [container], volumes }: PodSpec, path: string): string[] {
  const mount = container.volumeMounts.find(({ mountPath }) => isWithin(path, mountPath));
  const volume = volumes.find(({ name }) => name === mount?.name);
  if (volume?.secret)
    return Object.keys(manifest<Manifest & { stringData: Labels }>('Secret', volume.secret.secretName).stringData);
  return Object.keys(manifest<Manifest & { data: Labels }>('ConfigMap', volume?.configMap?.name).data);
}

describe.each(pods)('the pod %s', (_name, pod, workload) => {
  test('has no privilege, no account in the cluster, and no variables from Services', () => {
    expect(pod).toMatchObject({
      serviceAccountName: manifest('ServiceAccount').metadata.name,
      automountServiceAccountToken: false,
      // HSM_KMS_PORT=tcp://... of the Service hsm-kms else
      enableServiceLinks: false,
      securityContext: {
        runAsNonRoot: true,
        runAsUser: 1000,
        runAsGroup: 1000,
        fsGroup: 1000,
        seccompProfile: { type: 'RuntimeDefault' },
      },
    });
    for (const field of ['hostNetwork', 'hostPID', 'hostIPC']) expect(pod).not.toHaveProperty(field);
    for (const volume of pod.volumes) expect(volume).not.toHaveProperty('hostPath');
  });

  test('has volumes for all mounts, and no other', () => {
    const mounted = [...pod.initContainers, ...pod.containers].flatMap(({ volumeMounts }) => volumeMounts);
    const claimed = (workload.spec.volumeClaimTemplates ?? []).map(({ metadata }) => metadata);
    const named = [...pod.volumes, ...claimed].map(({ name }) => name);
    expect([...new Set(mounted.map(({ name }) => name))].sort()).toEqual(named.sort());
    for (const { configMap, secret } of pod.volumes) {
      if (configMap) expect(manifest('ConfigMap', configMap.name)).toBeDefined();
      // read by the group: others than the service may not read a PIN file
      if (secret) expect([manifest('Secret', secret.secretName).kind, secret.defaultMode]).toEqual(['Secret', 0o440]);
    }
  });

  test('has a data directory that its user makes: a volume belongs to root', () => {
    const data = pod.containers[0].volumeMounts.find(({ mountPath }) => isWithin(settings.dataDir, mountPath));
    expect(data?.readOnly).toBeUndefined();
    expect(data?.mountPath).not.toBe(settings.dataDir);
    const made = pod.initContainers.some(
      ({ command }) => command?.[0] === 'mkdir' && command.includes(settings.dataDir),
    );
    expect(made || pod.containers[0].args?.[0] === 'init').toBe(true);
  });

  test('may be talked to, and talks, as the NetworkPolicy says', () => {
    const { spec } = manifest<Manifest & { spec: { podSelector: { matchLabels: Labels }; policyTypes: string[] } }>(
      'NetworkPolicy',
    );
    expect(includes(workload.spec.template.metadata.labels, spec.podSelector.matchLabels)).toBe(true);
    expect(spec.policyTypes).toEqual(['Ingress', 'Egress']);
  });

  test('is tried again where that does not use up attempts at the PIN', () => {
    if (workload.kind === 'StatefulSet') return expect(pod.restartPolicy).toBeUndefined();
    expect(pod.restartPolicy).toBe('Never');
    const hasPin = pod.volumes.some(({ name }) => name === 'token');
    expect(workload.spec.backoffLimit === 0).toBe(hasPin);
  });
});

test.each(containers)('the container %s has limits, and cannot write but to its volumes', (_name, container) => {
  expect(container.securityContext).toEqual({
    allowPrivilegeEscalation: false,
    readOnlyRootFilesystem: true,
    capabilities: { drop: ['ALL'] },
  });
  expect(container.resources.requests).toEqual({ cpu: expect.any(String), memory: expect.any(String) });
  expect(container.resources.limits.memory).toMatch(/^\d+[MG]i$/);
  expect(container.image).toMatch(/^registry\.example\.com\/[\w-]+:[\w.]+$/);
  // secrets come as files: whoever describes a pod sees its environment
  expect(container.env).toBeUndefined();
});

describe('a node', () => {
  test('is one of two, serves, and is looked at where it answers', () => {
    expect(nodes.spec).toMatchObject({
      replicas: 2,
      serviceName: manifest('Service').metadata.name,
      updateStrategy: { type: 'RollingUpdate' },
    });
    expect(node.args).toEqual(['serve']);
    expect(node.envFrom).toEqual([{ configMapRef: { name: 'hsm-kms' } }]);
    expect(node.ports).toEqual([{ name: 'https', containerPort: port, protocol: 'TCP' }]);
    const probes = { startupProbe: '/healthz', livenessProbe: '/healthz', readinessProbe: '/readyz' } as const;
    for (const [name, path] of Object.entries(probes) as [keyof typeof probes, string][]) {
      expect(node[name].httpGet).toEqual({ path, port: 'https', scheme: 'HTTPS' });
      expect(node[name].timeoutSeconds).toBeGreaterThan(0);
    }
    const { livenessProbe, startupProbe } = node;
    // generating RSA keys, and a token that hangs, must not look like a dead service
    expect(livenessProbe.periodSeconds * livenessProbe.failureThreshold * 1000).toBeGreaterThan(
      settings.hangMilliseconds * 2,
    );
    expect(startupProbe.periodSeconds * startupProbe.failureThreshold).toBeGreaterThanOrEqual(60);
  });

  test('replaces workers that grow before they take all of its memory', () => {
    const megabytes = Number.parseInt(node.resources.limits.memory as string, 10) * 1024;
    expect(node.resources.limits.memory).toMatch(/^\d+Gi$/);
    const whenItIsReady = 120;
    // one more while one is replaced
    expect((settings.workers + 1) * (whenItIsReady + settings.workerGrowthMegabytes)).toBeLessThan(megabytes);
  });

  test('keeps its audit log in a volume of its own, with room for what is retained', () => {
    const [claim] = nodes.spec.volumeClaimTemplates ?? [];
    const mount = node.volumeMounts.find(({ name }) => name === claim?.metadata.name);
    expect(isWithin(settings.dataDir, mount?.mountPath as string)).toBe(true);
    expect(settings.auditDirectory).toBeUndefined();
    const gibibytes = Number.parseInt(claim?.spec.resources.requests.storage as string, 10);
    expect(settings.auditRetentionMegabytes).toBeLessThan(gibibytes * 1024);
    expect(settings.auditMode).not.toBe('off');
  });

  test('is what the selectors mean, and a pod of a job is not', () => {
    const { matchLabels } = nodes.spec.selector as { matchLabels: Labels };
    const service = manifest<Manifest & { spec: { selector: Labels; ports: { port: number; targetPort: string }[] } }>(
      'Service',
    ).spec;
    const budget = manifest<Manifest & { spec: { selector: { matchLabels: Labels }; maxUnavailable: number } }>(
      'PodDisruptionBudget',
    ).spec;
    const spread = nodePod.spec.topologySpreadConstraints.map(({ labelSelector }) => labelSelector.matchLabels);
    for (const selected of [matchLabels, service.selector, budget.selector.matchLabels, ...spread]) {
      expect(workloads.filter(({ spec }) => includes(spec.template.metadata.labels, selected))).toEqual([nodes]);
    }
    expect(service.ports).toMatchObject([{ port: 443, targetPort: 'https' }]);
    expect(budget.maxUnavailable).toBe(1);
    expect(nodePod.spec.topologySpreadConstraints.map(({ topologyKey }) => topologyKey)).toContain(
      'kubernetes.io/hostname',
    );
  });

  test('can be scraped, and reached by clients, at its port', () => {
    expect(nodePod.metadata.annotations).toEqual({
      'prometheus.io/scrape': 'true',
      'prometheus.io/scheme': 'https',
      'prometheus.io/port': String(port),
      'prometheus.io/path': '/metrics',
    });
    const { ingress, egress } = manifest<
      Manifest & {
        spec: Record<'ingress' | 'egress', { from?: unknown[]; to?: unknown[]; ports: { port: number }[] }[]>;
      }
    >('NetworkPolicy').spec;
    for (const { from, ports } of ingress) {
      expect(ports.map((each) => each.port)).toEqual([port]);
      expect(from).not.toHaveLength(0);
    }
    for (const { to } of egress) expect(to).not.toHaveLength(0);
    const reached = egress.flatMap(({ ports }) => ports.map((each) => each.port));
    expect(reached).toEqual(expect.arrayContaining([53, Number(new URL(settings.databaseUrl as string).port)]));
  });
});

test('the Secrets are templates', () => {
  for (const secret of manifests.filter(({ kind }) => kind === 'Secret')) {
    for (const value of Object.values(secret.stringData as Labels)) expect(value).toMatch(/^REPLACE: /);
  }
});

test('the account may do nothing, and the namespace takes restricted pods only', () => {
  expect(manifest('ServiceAccount').automountServiceAccountToken).toBe(false);
  expect(manifest('Namespace').metadata.labels).toMatchObject({ 'pod-security.kubernetes.io/enforce': 'restricted' });
  expect(manifests.some(({ kind }) => kind.includes('Role'))).toBe(false);
});

test('README.md applies every file but the Secrets, which it makes', () => {
  const readme = readFileSync(join(directory, 'README.md'), 'utf8');
  for (const file of files.filter((each) => each !== 'secrets.yaml')) expect(readme).toContain(`${file}`);
  expect(readme).not.toMatch(/apply .*secrets\.yaml/);
  for (const secret of manifests.filter(({ kind }) => kind === 'Secret')) {
    expect(readme).toMatch(new RegExp(`kubectl create secret (generic|tls) ${secret.metadata.name} `));
  }
});
