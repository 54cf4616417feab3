import { operationModels, shapeNamed } from './model.js';
import type { OperationName } from './operation-types.js';

/** Names of the top-level blob members of a structure that the service model marks as sensitive. */
function sensitiveBlobs(structure: string | undefined): readonly string[] {
  const shape = structure === undefined ? undefined : shapeNamed(structure);
  if (shape?.type !== 'structure') return [];
  return Object.entries(shape.members)
    .filter(([, member]) => {
      const type = shapeNamed(member);
      return type.type === 'blob' && type.sensitive === true;
    })
    .map(([name]) => name);
}

const byOperation = Object.fromEntries(
  Object.entries(operationModels).map(([name, { input, output }]) => [
    name,
    { input: sensitiveBlobs(input), output: sensitiveBlobs(output) },
  ]),
) as Record<OperationName, { readonly input: readonly string[]; readonly output: readonly string[] }>;

/** Overwrites the plaintexts and secrets of a request or an answer that has been dealt with. */
export function wipeSensitive(operation: OperationName, side: 'input' | 'output', value: unknown): void {
  if (value === undefined) return;
  for (const name of byOperation[operation][side]) {
    const member = (value as Readonly<Record<string, unknown>>)[name];
    if (member instanceof Uint8Array) member.fill(0);
  }
}
