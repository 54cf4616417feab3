/** What an action of STS has in its record: of its parameters, of its answer, and what it was done to. */
interface ShownAction {
  readonly parameters: readonly string[];
  readonly elements: (result: Readonly<Record<string, unknown>>) => object | null;
  readonly roleParameter?: string;
}

/** The secret access key and the session token are never shown. */
const actions: Readonly<Record<string, ShownAction>> = {
  AssumeRole: {
    parameters: [
      ...['roleArn', 'roleSessionName', 'durationSeconds', 'externalId', 'sourceIdentity'],
      ...['policy', 'policyArns', 'tags', 'transitiveTagKeys'],
    ],
    elements({ AssumedRoleUser, Credentials, PackedPolicySize, SourceIdentity }) {
      const { AccessKeyId, Expiration } = (Credentials ?? {}) as Readonly<Record<string, unknown>>;
      const { AssumedRoleId, Arn } = (AssumedRoleUser ?? {}) as Readonly<Record<string, unknown>>;
      return {
        credentials: { accessKeyId: AccessKeyId, expiration: Expiration },
        assumedRoleUser: { assumedRoleId: AssumedRoleId, arn: Arn },
        packedPolicySize: PackedPolicySize,
        sourceIdentity: SourceIdentity,
      };
    },
    roleParameter: 'roleArn',
  },
  GetCallerIdentity: { parameters: [], elements: () => null },
};

/** `requestParameters` as JSON. @param input the action's parameters, checked, by their names in lowerCamelCase */
export function actionParameters(action: string, input: unknown): string {
  const shown = actions[action]?.parameters ?? [];
  if (typeof input !== 'object' || input === null || shown.length === 0) return 'null';
  const parameters = shown.map((name) => [name, plain((input as Readonly<Record<string, unknown>>)[name])] as const);
  return JSON.stringify(Object.fromEntries(parameters));
}

/** `responseElements` as JSON. */
export function actionElements(action: string, output: unknown): string {
  if (typeof output !== 'object' || output === null) return 'null';
  return JSON.stringify(actions[action]?.elements(output as Readonly<Record<string, unknown>>) ?? null);
}

/** `resources` as JSON. */
export function actionResources(action: string, input: unknown): string {
  const name = actions[action]?.roleParameter;
  const arn = name === undefined ? undefined : (input as Readonly<Record<string, unknown>> | undefined)?.[name];
  if (typeof arn !== 'string') return '[]';
  return JSON.stringify([{ accountId: arn.split(':')[4], type: 'AWS::IAM::Role', ARN: arn }]);
}

/** Tags as CloudTrail has them; empty lists are left out. */
function plain(value: unknown): unknown {
  if (value instanceof Map)
    return value.size === 0 ? undefined : [...value].map(([key, each]) => ({ key, value: each }));
  return Array.isArray(value) && value.length === 0 ? undefined : value;
}
