// Time of the simulated world: what is to happen, in its order; and chance by a seed.

import { settled } from "./window.js";

interface Due {
  at: number;
  order: number;
  run: (() => void) | null;
}

export class Time {
  now = Date.UTC(2027, 0, 1);
  private heap: Due[] = [];
  private order = 0;
  /** Whether something waits for a promise that has just been settled. */
  stirred = false;

  /** Runs something in so many milliseconds. Returns what prevents it. */
  in(ms: number, run: () => void): () => void {
    const due: Due = { at: this.now + Math.max(0, ms), order: this.order++, run };
    this.push(due);
    return () => void (due.run = null);
  }

  /** Lets everything happen that is due within so many milliseconds, promises included. */
  async pass(ms: number): Promise<void> {
    const until = this.now + ms;
    await settled();
    while (this.heap[0] && this.heap[0].at <= until) {
      const due = this.pop();
      if (!due.run) continue;
      this.now = due.at;
      due.run();
      if (this.stirred) await settled();
      this.stirred = false;
    }
    this.now = until;
  }

  private push(due: Due): void {
    const { heap } = this;
    let i = heap.push(due) - 1;
    while (i > 0) {
      const up = (i - 1) >> 1;
      if (!sooner(heap[i]!, heap[up]!)) break;
      [heap[i], heap[up]] = [heap[up]!, heap[i]!];
      i = up;
    }
  }

  private pop(): Due {
    const { heap } = this;
    const top = heap[0]!;
    const last = heap.pop()!;
    if (heap.length > 0) {
      heap[0] = last;
      for (let i = 0; ; ) {
        let least = i;
        for (const child of [2 * i + 1, 2 * i + 2]) if (heap[child] && sooner(heap[child], heap[least]!)) least = child;
        if (least === i) break;
        [heap[i], heap[least]] = [heap[least]!, heap[i]!];
        i = least;
      }
    }
    return top;
  }
}

function sooner(a: Due, b: Due): boolean {
  return (a.at - b.at || a.order - b.order) < 0;
}

/** Chance that can be repeated: xorshift of 32 bits (Marsaglia 2003). */
export class Dice {
  private state: number;
  constructor(seed: number) {
    this.state = (Math.imul(seed + 1, 0x9e3779b1) ^ 0x5bd1e995) >>> 0 || 1;
    for (let i = 0; i < 8; i++) this.unit();
  }
  /** In [0, 1). */
  unit(): number {
    let x = this.state;
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    this.state = x >>> 0;
    return this.state / 2 ** 32;
  }
  between(low: number, high: number): number {
    return low + this.unit() * (high - low);
  }
  happens(share: number): boolean {
    return this.unit() < share;
  }
  one<T>(of: readonly T[]): T {
    return of[Math.floor(this.unit() * of.length)]!;
  }
}
