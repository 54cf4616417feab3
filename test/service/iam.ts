import { Iam } from '../../src/authorization/iam/iam.js';
import { onlyLooking } from '../../src/authorization/iam/iam-place.js';
import type { Store } from '../../src/store/store.js';

type Part = 'users' | 'roles' | 'policies' | 'accessKeys';

/** What manages identities, each call of it in a change of its own. */
export function iamOf(store: Store, account: string, at: Date): Iam {
  const inChanges = (part: Part) =>
    new Proxy({} as never, {
      get:
        (_target, method: string) =>
        (...parameters: unknown[]) =>
          store.change((change) => {
            const manager = new Iam(change, account, at)[part] as unknown as Record<
              string,
              (...all: unknown[]) => Promise<unknown>
            >;
            return manager[method]?.(...parameters) as Promise<unknown>;
          }),
    });
  const iam = new Iam(onlyLooking(store.db), account, at);
  return Object.assign(Object.create(iam) as Iam, {
    users: inChanges('users'),
    roles: inChanges('roles'),
    policies: inChanges('policies'),
    accessKeys: inChanges('accessKeys'),
  });
}
