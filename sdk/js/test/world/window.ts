// A window of a test's own: src/env.ts's members, with clock, timers, network and other tabs played by the test.

import type { Env } from "../../src/env.js";
import type { StorageAdapter } from "../../src/types.js";

/** What plays a window's surroundings. */
export interface Played {
  now(): number;
  /** Runs something in so many milliseconds. Returns what prevents it. */
  after(ms: number, run: () => void): () => void;
  fetch(url: string, init: RequestInit): Promise<Response>;
  local: StorageAdapter;
  session: StorageAdapter;
  /** What a tab says to the others. */
  post(text: string): void;
  byte(): number;
}

export class Window {
  readonly env: Env;
  private listeners = new Map<string, Set<(event: object) => void>>();
  private channel: { onmessage: ((event: { data: unknown }) => void) | null; closed: boolean } | null = null;

  constructor(played: Played) {
    const window = this;
    this.env = {
      Date: { now: played.now },
      crypto: { getRandomValues: (bytes) => bytes.map(() => played.byte()) },
      setTimeout: (run, ms) => played.after(ms, run),
      clearTimeout: (cancel) => cancel?.(),
      fetch: (url, init) => played.fetch(url as string, init!),
      BroadcastChannel: class {
        onmessage = null;
        closed = false;
        constructor() {
          window.channel = this;
        }
        postMessage(text: string) {
          if (this.closed) throw new DOMException("the channel is closed", "InvalidStateError");
          played.post(text);
        }
        close() {
          this.closed = true;
        }
      },
      localStorage: played.local as Storage,
      sessionStorage: played.session as Storage,
      document: { baseURI: "https://shop.example/" },
      location: { origin: "https://shop.example", href: "https://shop.example/", assign() {}, replace() {} },
      history: { state: null, replaceState() {} },
      addEventListener(name, hear, { signal }) {
        if (!window.listeners.has(name)) window.listeners.set(name, new Set());
        window.listeners.get(name)!.add(hear);
        signal!.addEventListener("abort", () => window.listeners.get(name)!.delete(hear));
      },
    };
  }

  /** An event happens at the window. */
  tell(name: string, event: object = {}): void {
    this.listeners.get(name)?.forEach((hear) => hear(event));
  }
  /** Another tab has said this. */
  hear(data: unknown): void {
    if (this.channel && !this.channel.closed) this.channel.onmessage?.({ data });
  }
  /** Whether anything still listens. */
  get listens(): boolean {
    return [...this.listeners.values()].some((hearing) => hearing.size > 0) || (!!this.channel && !this.channel.closed);
  }
}

/** A shelf over a map. */
export function shelfOf(kept: Map<string, string>): StorageAdapter {
  return {
    getItem: (key) => kept.get(key) ?? null,
    setItem: (key, value) => void kept.set(key, value),
    removeItem: (key) => void kept.delete(key),
  };
}

/** When every promise that can be settled is. */
export const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
