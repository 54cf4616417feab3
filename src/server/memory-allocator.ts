const variable = 'GLIBC_TUNABLES';

/**
 * What a worker asks of glibc's malloc, in which a module like SoftHSM2 keeps its objects: large pages where the system
 * gives them to who asks, as a heap of many keys has more pages than the processor knows addresses of; and 256 free pieces
 * of each size up to 1 KiB at hand, not 7, as their search takes long in such a heap. With 10,000 keys an Encrypt costs
 * a seventh less CPU so (docs/bench.md); at most 8 MiB per thread are kept more. Other C libraries do not read it.
 */
const tunables = 'glibc.malloc.hugetlb=1:glibc.malloc.tcache_count=256';

/**
 * Variables of a worker's environment; a process reads them before anything else, so they cannot be set in it.
 *
 * @param environment what the administrator has set in it stays
 */
export function allocatorVariables(environment: NodeJS.ProcessEnv = process.env): Record<string, string> {
  return { [variable]: environment[variable] ?? tunables };
}
