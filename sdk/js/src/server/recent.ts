// What a process remembers for a while: nothing that decides alone, since other processes do not know it.

/** How many things are remembered at most: then the oldest is forgotten. */
const most = 10_000;

/** Things by name, each until its time is over. */
export class Recent<T> {
  private readonly kept = new Map<string, { value: T; until: number }>();

  /** `mono` is a clock that nobody sets, in milliseconds. */
  constructor(private readonly mono: () => number) {}

  get(key: string): T | undefined {
    const found = this.kept.get(key);
    return found && this.mono() < found.until ? found.value : undefined;
  }

  /** Remembers a thing for so many milliseconds, as the newest. */
  set(key: string, value: T, lasts: number): void {
    this.kept.delete(key);
    this.kept.set(key, { value, until: this.mono() + lasts });
    for (const [old, { until }] of this.kept) {
      if (this.mono() < until && this.kept.size <= most) break; // the oldest first
      this.kept.delete(old);
    }
  }
}
