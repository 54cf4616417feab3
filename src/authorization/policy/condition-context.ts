/** What the request says of a condition key: one value, or the values of a multi-valued key. */
export type ConditionValue = string | readonly string[];

/**
 * The request's side of conditions and policy variables. A key is asked for only when a policy names it, so a costly one
 * may be computed in `get`; the same key may be asked for several times in one decision.
 *
 * - Keys are asked for in lower case: `kms:encryptioncontext:appname`.
 * - A multi-valued key is a list, also when it has one value. An empty list is an absent key.
 * - Key names ignore case: where two names of a request differ in case only, their values belong into one list.
 */
export interface ConditionContext {
  get(key: string): ConditionValue | undefined;
}

/** A value, or how it is found when a policy asks for it. */
export type ConditionSource = ConditionValue | undefined | (() => ConditionValue | undefined);

/**
 * A context of named keys. Names are folded to lower case, and the values of names that fold to one are put together.
 * What a function returns is kept.
 *
 * @example conditionContext([['aws:username', 'bob'], ['aws:TagKeys', () => Object.keys(tags)]])
 */
export function conditionContext(sources: Iterable<readonly [string, ConditionSource]>): ConditionContext {
  const found = new Map<string, ConditionSource[]>();
  for (const [name, source] of sources) {
    const key = name.toLowerCase();
    const others = found.get(key);
    if (others) others.push(source);
    else found.set(key, [source]);
  }
  const known = new Map<string, ConditionValue | undefined>();
  return {
    get(key) {
      if (known.has(key)) return known.get(key);
      const value = join((found.get(key) ?? []).map((source) => (typeof source === 'function' ? source() : source)));
      known.set(key, value);
      return value;
    },
  };
}

function join(values: readonly (ConditionValue | undefined)[]): ConditionValue | undefined {
  const present = values.filter((value) => value !== undefined);
  return present.length < 2 ? present[0] : present.flat();
}
