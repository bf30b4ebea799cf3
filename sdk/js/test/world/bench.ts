// A tab on a bench: one event after another happens to it, and what it did is looked at.

import { makeAsk } from "../../src/ask.js";
import type { LatchkeyError } from "../../src/error.js";
import { makeHolder, type Holder } from "../../src/session.js";
import type { Stored } from "../../src/stored.js";
import type { Change, ClientOptions } from "../../src/types.js";
import { key, made, noon, options, tokens, type Made } from "./records.js";
import { settled, shelfOf, Window } from "./window.js";

/** A request that waits for its answer. */
interface Asked {
  token: string;
  patience: Timer;
  resolve(response: Response): void;
  reject(error: Error): void;
}
interface Timer {
  ms: number;
  at: number;
  run: () => void;
}

export class Bench {
  now = noon;
  /** What Math.random answers. */
  chance = 0;
  /** What the chosen storage holds. */
  readonly kept = new Map<string, string>();
  readonly window: Window;
  readonly holder: Holder;
  /** The requests that wait for their answers. */
  readonly open: Asked[] = [];
  readonly timers = new Set<Timer>();
  // What the last event made it do.
  sends: string[] = [];
  posts: Record<string, any>[] = [];
  changes: Change[] = [];
  writes: string[] = [];
  /** What calls were answered: an access token, null, or an error's code. */
  answers: (string | null)[] = [];
  /** All of it in its order. */
  done: string[] = [];

  constructor(stored: Stored | null = null, more: Partial<ClientOptions> = {}, chance = 0) {
    this.chance = chance;
    if (stored) this.stored = stored;
    Math.random = () => this.chance;
    const plain = shelfOf(this.kept);
    const chosen = {
      ...plain,
      setItem: (name: string, value: string) => {
        if (this.full(name)) throw new DOMException("full", "QuotaExceededError");
        if (name === key) this.note(this.writes, value, "write");
        plain.setItem(name, value);
      },
    };
    const { storage = "local" } = more;
    this.window = new Window({
      now: () => this.now,
      after: (ms, run) => {
        const timer = { ms, at: this.now + ms, run };
        this.timers.add(timer);
        return () => void this.timers.delete(timer);
      },
      fetch: (url, { body, signal }) =>
        new Promise((resolve, reject) => {
          const token = url.endsWith("/oauth/token")
            ? (body as URLSearchParams).get("refresh_token")!
            : JSON.parse(body as string).refreshToken;
          this.note(this.sends, token, "send");
          const patience = [...this.timers].at(-1)!; // which is set just before
          this.open.push({ token, patience, resolve, reject });
          signal!.addEventListener("abort", () => reject(new DOMException("", "AbortError")));
        }),
      local: storage === "local" ? chosen : shelfOf(new Map()),
      session: storage === "session" ? chosen : shelfOf(new Map()),
      post: (text) => this.note(this.posts, JSON.parse(text), "post"),
      byte: () => 7,
    });
    const { env } = this.window;
    this.holder = makeHolder({ ...options, ...more }, env, makeAsk(options.issuer, env));
    this.holder.subscribe((change) => this.note(this.changes, change, change.reason));
  }
  /** Whether a write of that name fails. */
  full: (name: string) => boolean = () => false;

  get stored(): Stored | null {
    return JSON.parse(this.kept.get(key) ?? "null");
  }
  /** Another process has written. */
  set stored(record: Stored | null) {
    if (record) this.kept.set(key, JSON.stringify(record));
    else this.kept.delete(key);
  }
  set marks(ended: Record<string, unknown>) {
    this.kept.set(key + ":ended", JSON.stringify({ v: 1, ended }));
  }
  get marks(): Record<string, number> {
    return JSON.parse(this.kept.get(key + ":ended") ?? "{}").ended ?? {};
  }
  get reason(): string | undefined {
    return this.changes.at(-1)?.reason;
  }
  get said(): string[] {
    return this.posts.map(({ t }) => t);
  }
  /** The alarm: its time-outs of requests aside. */
  get alarm(): Timer | undefined {
    return [...this.timers].find((timer) => this.open.every(({ patience }) => timer !== patience));
  }
  /** In how many milliseconds the alarm goes off. */
  get due(): number | undefined {
    return this.alarm && this.alarm.at - this.now;
  }
  private note<T>(list: T[], what: T, word: string): void {
    list.push(what);
    this.done.push(word);
  }

  async step(happen: () => void): Promise<this> {
    for (const list of [this.sends, this.posts, this.changes, this.writes, this.answers, this.done]) list.length = 0;
    happen();
    await settled();
    return this;
  }
  start(): Promise<this> {
    return this.step(() => {});
  }
  /** The alarm goes off, so late. */
  ring(late = 0): Promise<this> {
    const { alarm } = this;
    if (!alarm) throw new Error("no alarm is set");
    return this.step(() => {
      this.now = Math.max(this.now, alarm.at + late);
      this.timers.delete(alarm);
      alarm.run();
    });
  }
  /** Goes to that time, as a clock that is looked at rarely; nothing goes off. */
  at(ms: number): this {
    this.now = noon + ms;
    return this;
  }
  heard(message: unknown): Promise<this> {
    return this.step(() => this.window.hear(JSON.stringify(message)));
  }
  /** A storage event, or another that wakes. */
  told(name = "storage", event: object = { key }): Promise<this> {
    return this.step(() => this.window.tell(name, event));
  }
  /** A call wants a token that lives so many seconds. */
  need(seconds = Infinity): Promise<this> {
    return this.step(() => this.answer(this.holder.token(seconds)));
  }
  /** A call's token was refused by an API. */
  refused(stored = this.holder.current()!): Promise<this> {
    return this.step(() => this.answer(this.holder.refused(stored)));
  }
  private answer(call: Promise<Stored | null>): void {
    call.then(
      (stored) => this.note(this.answers, stored && stored.accessToken, "answer"),
      (error: LatchkeyError) => this.note(this.answers, error.code, "answer"),
    );
  }
  /** The oldest request is answered. */
  replies(status: number, body: unknown, headers: Record<string, string> = {}): Promise<this> {
    const text = typeof body === "string" ? body : JSON.stringify(body);
    return this.step(() => this.open.shift()!.resolve(new Response(text, { status, headers })));
  }
  gives(generation: number, o: Made = {}): Promise<this> {
    const { at = noon } = o;
    return this.replies(200, tokens(generation, o), { Date: new Date(at).toUTCString() });
  }
  fails(): Promise<this> {
    return this.step(() => this.open.shift()!.reject(new TypeError("Failed to fetch")));
  }
  superseded(): Promise<this> {
    return this.replies(503, "Another request.\n", { "X-Latchkey-Code": "refresh_superseded" });
  }
  grantless(): Promise<this> {
    return this.replies(400, { error: "invalid_grant" });
  }
}

/** A bench that holds what storage holds. */
export function begun(stored: Stored | null = made(1), more: Partial<ClientOptions> = {}): Promise<Bench> {
  return new Bench(stored, more).start();
}

/** A bench that refreshes what it holds, 60 s after it was given. */
export async function sending(stored = made(1), more: Partial<ClientOptions> = {}): Promise<Bench> {
  const bench = (await begun(stored, more)).at(60_000);
  await bench.refused(stored);
  return bench.sends.length ? bench : bench.ring();
}
