interface Suite {
  readonly path: string;
  readonly context: { readonly config: { readonly rootDir: string; readonly displayName?: { readonly name: string } } };
}

export default class LongestFirst {
  /** @param place which of how many parts, from 1 */
  shard<S extends Suite>(suites: readonly S[], place: { shardIndex: number; shardCount: number }): S[];
  sort<S extends Suite>(suites: readonly S[]): S[];
}
