/**
 * What is under way. A Set does the same, at a price: whenever things have come and gone, it makes itself a new table, and
 * its old table has hold of the new one. Once V8 takes one of them for long-lived, all that follow live until the next
 * collection of all garbage, with the requests in them: each cost a fifth more so (docs/bench.md).
 */
export class UnderWay<T extends object> implements Iterable<T> {
  private readonly places: (T | undefined)[] = [];
  private readonly free: number[] = [];

  /** @returns its place, by which it is taken out */
  add(one: T): number {
    const place = this.free.pop() ?? this.places.length;
    this.places[place] = one;
    return place;
  }

  /** @param place that `add` gave; once */
  delete(place: number): void {
    this.places[place] = undefined;
    this.free.push(place);
  }

  *[Symbol.iterator](): Iterator<T> {
    for (const one of this.places) if (one !== undefined) yield one;
  }
}
