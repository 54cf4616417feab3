/** The parameters of a request in AWS's query protocol: `Name`, `List.member.1`, `List.member.1.Member`. */
export class QueryParameters {
  private readonly form: URLSearchParams;

  /** @param body application/x-www-form-urlencoded */
  constructor(body: string) {
    this.form = new URLSearchParams(body);
  }

  get(name: string): string | undefined {
    return this.form.get(name) ?? undefined;
  }

  /** The elements of a list of texts, in their order. */
  list(name: string): string[] {
    return this.structures(name).map((element) => element.get('') ?? '');
  }

  /** The elements of a list of structures, in their order: each from its members' names to their values. */
  structures(name: string): ReadonlyMap<string, string>[] {
    const prefix = `${name}.member.`;
    const elements = new Map<number, Map<string, string>>();
    for (const [key, value] of this.form) {
      if (!key.startsWith(prefix)) continue;
      const [, index, member = ''] = /^(\d{1,9})(?:\.(.+))?$/.exec(key.slice(prefix.length)) ?? [];
      if (index === undefined) continue;
      const element = elements.get(Number(index)) ?? new Map<string, string>();
      if (!element.has(member)) element.set(member, value);
      elements.set(Number(index), element);
    }
    return [...elements].sort(([one], [other]) => one - other).map(([, element]) => element);
  }
}
