// The session that all tabs of a browser refresh together: a small state machine.
//
// Whatever happens, storage is read first and what it says is looked at: a mark ends, another session is followed, a newer
// token is held. So what is sent is always the newest that is known, and no rule has to remember to read.

import { form, json, parsed, type Ask } from "./ask.js";
import { secret, shelf, type Env } from "./env.js";
import { LatchkeyError } from "./error.js";
import { makeKeep, memory } from "./keep.js";
import { issued, left, newest, recordOf, sound, third, type Stored } from "./stored.js";
import type { Change, ClientOptions, Session } from "./types.js";

export interface Holder {
  /** Fulfilled when storage and other tabs have been asked. Never rejects. */
  readonly ready: Promise<void>;
  current(): Stored | null;
  /** What is held, with an access token that lives so many seconds more. Of many callers at once one refreshes. */
  token(minValidity?: number): Promise<Stored | null>;
  /** After a 401 to that record's access token: what to ask once more with, or null. */
  refused(stored: Stored): Promise<Stored | null>;
  /** A sign-in. */
  put(stored: Stored): Promise<void>;
  /** A sign-out: marks and removes in the task of the call, where storage does not promise. Answers what was held. */
  end(): Promise<Stored | null>;
  subscribe(fn: (change: Change) => void): () => void;
  dispose(): void;
}

/**
 * What tabs tell each other. `ask`: who holds the session of that sid, or any (null)? `have`: the answer to that question.
 * `new`: tokens that the server has just given. `ended`: a session is over. `look`: what is stored has changed.
 */
type Message =
  | { t: "ask"; id?: string; sid: string | null }
  | { t: "have"; id: string; stored: Stored }
  | { t: "new"; stored: Stored }
  | { t: "ended"; sid: string }
  | { t: "look" };

/** How late an alarm is after a gap, and how young a token that is refused stays, in milliseconds. */
const half = 30_000;
/** How long others are waited for after a gap, in milliseconds: where storage tells of them, and where they are asked. */
const quiet = 100;
const question = 300;

/** The name of everything that is kept for an app: of its record itself, and of the channel between its tabs. */
export const nameOf = ({ issuer, clientId }: ClientOptions) => `latchkey:${issuer}:${clientId}`;

export function makeHolder(options: ClientOptions, env: Env, ask: Ask): Holder {
  const storage = env.document ? (options.storage ?? "local") : "memory";
  const name = nameOf(options);
  const own = typeof storage === "object";
  const browsers = own ? null : shelf(env, storage + "Storage");
  const keep = makeKeep(own ? storage : browsers || memory(), name);
  /** Whether all tabs of the browser read one storage. */
  const shared = own || (storage === "local" && browsers);
  let channel: InstanceType<Env["BroadcastChannel"]> | undefined;
  const listening = new AbortController();
  const subscribers = new Set<(change: Change) => void>();
  const waiting: ((error?: LatchkeyError) => void)[] = [];
  let begin: () => void;
  const ready = new Promise<void>((resolve) => (begin = resolve));

  const now = () => env.Date.now();

  // The state.
  let held: Stored | null = null;
  /** What storage held when it was last read. */
  let stored: Stored | null = null;
  const { ended } = keep;
  /** What subscribers were last told; undefined before the first time. */
  let shown: Session | null | undefined;
  /** How many milliseconds the access token has to live for those who wait to be answered; 0: nobody waits. */
  let want = 0;
  /** An access token that does not do, however long it lives. */
  let unwanted: string | null = null;
  /** The refresh token that is being sent. */
  let sent: string | null = null;
  /** Whether it waits for the alarm before it sends anything. */
  let pausing = false;
  /** A refresh token that is never sent again: superseded, or refused although another is kept. */
  let dead: string | null = null;
  /** Of a tab that holds nothing, before it is ready: what the others answer to its question. */
  let answers: Stored[] | null = null;
  let asked: string;
  /** How many requests in a row were of no use, and how the last failed. */
  let attempt = 0;
  let error: LatchkeyError;
  /** Why the session ended, where it was not the person's wish. */
  let why: LatchkeyError | undefined;
  /** Time may have passed unnoticed: others are heard before anything is sent. */
  let gap = !shared;
  /** This tab's share of the lead, 0.8 to 1, so that tabs do not all refresh at once. */
  const share = 1 - Math.random() / 5;
  let over = false;
  /** Writes that the event being handled asks for, and events in their order. */
  let todo: (() => Promise<void>)[] = [];
  let events = Promise.resolve();

  let timer: unknown;
  /** When the alarm goes off, by this machine's clock as it was when it was set. */
  let due = Infinity;

  function happen(what: () => unknown): Promise<void> {
    return (events = events.then(() => handle(what)));
  }
  async function handle(what: () => unknown): Promise<void> {
    stored = await keep.read();
    why = undefined;
    if (stored && !hold(stored) && ended[stored.sid]) forget(stored);
    if (held && ended[held.sid]) leave();
    if (now() - due > half) gap = true;
    what();
    if (!answers) follow();
    for (const work of todo.splice(0)) await work();
  }
  /** What follows, whatever happened: subscribers first, then those who wait. */
  function follow(): void {
    const session = held && held.session;
    begin();
    if (JSON.stringify(session) !== JSON.stringify(shown)) {
      const left = why ? "ended" : "signed_out";
      const reason =
        shown === undefined ? "initial" : !session ? left : !shown ? "signed_in" : session.user.id === shown.user.id ? "updated" : "switched";
      shown = session;
      for (const fn of subscribers) tell(fn, reason, why);
      settle();
    }
    if (served()) {
      settle();
      want = 0;
      pausing = false;
    }
    if (held && !sent && !pausing) alarm(Math.max(1000, left(held, now()) - lead()));
  }
  /** A subscriber that throws is the app's affair, and of its page's error handler. */
  function tell(fn: (change: Change) => void, reason: Change["reason"], error?: LatchkeyError): void {
    try {
      fn({ session: shown!, reason, ...(error && { error }) });
    } catch (error) {
      env.setTimeout(() => {
        throw error;
      }, 0);
    }
  }

  const post = (message: Message) => over || channel?.postMessage(JSON.stringify(message));
  const superseded = () => held!.refreshToken === dead;
  /** That long, or a third of the life of what is held; 0 where it cannot be refreshed. */
  const most = (ms: number) => (held?.refreshToken ? Math.min(ms, third(held)) : 0);
  const lead = () => most(90_000) * share;
  const lasts = (ms: number) => left(held!, now()) > most(ms);
  const served = () => over || !held || ((held.accessToken !== unwanted || !held.refreshToken) && lasts(want));

  /** The one alarm. One that was set while another waited for its turn goes over it. */
  function alarm(ms: number): void {
    env.clearTimeout(timer);
    const at = (due = now() + ms);
    if (!over) timer = env.setTimeout(() => void happen(() => at === due && ring()), Math.min(ms, 2e9));
  }
  /** Those who wait get what is held while it lives, else the error. */
  function settle(error?: LatchkeyError): void {
    for (const answer of waiting.splice(0)) answer(error);
  }
  /** `fresh`: the server has just given it, so that others are told where they cannot read it. */
  function write(next: Stored, fresh?: boolean): void {
    todo.push(async () => {
      const done = await keep.write(next);
      if (own) post({ t: "look" });
      await handle(() => {
        if (!stored || stored.sid === next.sid) hold(next);
        if (fresh && held?.sid === next.sid && !(done && shared)) post({ t: "new", stored: next });
      });
    });
  }
  function forget({ sid }: Stored): void {
    todo.push(() => keep.end(sid, now()));
  }

  /** Holds a record of another session, or a newer one of the same. Answers whether it does. */
  function hold(next: Stored): boolean {
    if (ended[next.sid]) return false;
    if (held?.sid === next.sid) {
      if (newest(held, next) === held || next.refreshToken === dead) return false;
    } else {
      sent = dead = null;
      want = 0;
    }
    held = next;
    attempt = 0;
    pausing = false;
    return true;
  }
  function leave(because?: LatchkeyError): void {
    const { sid } = held!;
    forget(held!);
    post({ t: "ended", sid });
    ended[sid] = now();
    held = null;
    why = because;
  }
  /** Sends what is held, where it has to be. */
  function go(): void {
    if (served()) return;
    if (!held!.refreshToken) leave(new LatchkeyError("invalid_token"));
    else if (superseded()) fail();
    else if (gap) pause(shared && stored ? quiet : question);
    else void send(held!, (sent = held!.refreshToken));
  }
  /** Begins to refresh, or joins those who wait. */
  function need(ms: number): void {
    want = Math.max(want, ms);
    if (pausing) attempt > 1 && settle(error);
    else if (!sent) go();
  }
  function pause(ms: number): void {
    pausing = true;
    gap = false;
    post({ t: "ask", sid: held!.sid });
    alarm(ms);
  }
  function fail(): void {
    if (++attempt > 1) settle(error);
    const backOff = (1 + 4 * Math.random()) * 2 ** (attempt - 1);
    pause(superseded() && attempt < 2 ? question : Math.min(60, Math.max(backOff, error.retryAfter!)) * 1000);
  }
  function answered(to: string, tokens: Stored | null, refusal: LatchkeyError): void {
    if (to !== sent || !held) return;
    sent = null;
    if (tokens) {
      if (newest(held, tokens) === tokens) write(tokens, true);
      else go();
      return;
    }
    error = refusal;
    const { kind, sid } = held;
    const { status, code } = error;
    if (kind === "oauth" ? status === 400 && code === "invalid_grant" : status === 401 && code === "invalid_refresh_token") {
      const kept = [held, stored].find((one) => one?.sid === sid && one.refreshToken !== to);
      if (!kept) return leave(error);
      held = kept;
    } else if (code !== "refresh_superseded") return fail();
    dead = to;
    go();
  }
  /** The alarm. */
  function ring(): void {
    if (answers) {
      const [first, ...others] = answers.filter(({ sid }) => !ended[sid]);
      answers = null;
      if (first && !held && others.every(({ sid }) => sid === first.sid)) {
        const found = others.reduce(newest, first);
        hold(found);
        write(found);
      }
    } else {
      pausing = false;
      if (held && due - now() > half) unwanted = held.accessToken; // the clock was set back: it says nothing of the token's end
      need(lead());
    }
  }
  /** What comes may be made up: it plants a session in no tab that did not ask, and switches nobody. */
  function hear(message: any): void {
    const { t, id, sid, stored: record } = message ?? {};
    const theirs = sound(record);
    if (t === "ask") {
      if (held && (sid ?? held.sid) === held.sid) post({ t: "have", id, stored: held });
    } else if (t === "ended" && typeof sid === "string") {
      if (held?.sid === sid) leave();
      ended[sid] = now();
    } else if (theirs && held) {
      if (held.sid === theirs.sid && held.session.user.id === theirs.session.user.id && hold(theirs) && !shared) write(theirs);
    } else if (theirs && t === "have" && id === asked) answers?.push(theirs);
  }

  async function send(from: Stored, to: string): Promise<void> {
    const { kind } = from;
    let tokens: Stored | null = null;
    let refusal = new LatchkeyError("invalid_id_token");
    try {
      const { clientId } = options;
      const { body, date } = await (kind === "oauth"
        ? ask("/oauth/token", form({ grant_type: "refresh_token", refresh_token: to, client_id: clientId }))
        : ask("/auth/refresh-token", json({ refreshToken: to })));
      tokens = recordOf(kind, body?.data ?? body, options, date, now(), from);
    } catch (error) {
      refusal = error as LatchkeyError;
    }
    void happen(() => answered(to, tokens, refusal));
  }

  /** What is held once it lives that long, for a call that began as a person's. */
  function needed(user: string, ms: number): Promise<Stored | null> {
    return new Promise((resolve, reject) => {
      waiting.push((error) => {
        if (over || (held && held.session.user.id !== user)) reject(new LatchkeyError("session_changed"));
        else if (held && error && left(held, now()) <= 0) reject(error);
        else resolve(held);
      });
      void happen(() => need(ms));
    });
  }

  try {
    if (env.document && options.channel !== false) {
      channel = new env.BroadcastChannel(name);
      channel.onmessage = ({ data }) => void happen(() => hear(parsed(data)));
    }
  } catch {} // by the browser's settings, as storage
  for (const wakes of env.document ? ["storage", "online", "pageshow", "resume", "visibilitychange"] : []) {
    const wake = ({ key }: { key?: string | null }) => {
      if (key && !key.startsWith(name)) return; // not ours; no key: storage was cleared, or another event
      void happen(() => {
        gap = true;
        attempt = 0;
        pausing = false;
        need(lead());
      });
    };
    env.addEventListener(wakes, wake, { capture: true, signal: listening.signal }); // the document's own as well
  }
  void happen(() => {
    if (!held && !shared && channel) {
      answers = [];
      post({ t: "ask", id: (asked = secret(env, 16)), sid: null });
      alarm(question);
    }
  });

  return {
    ready,
    current: () => held,
    async token(minValidity = 30) {
      await ready;
      if (!held) return null;
      const ms = minValidity * 1000 || 0;
      return lasts(ms) ? held : needed(held.session.user.id, ms);
    },
    async refused({ accessToken, session }) {
      if (!held) return null;
      if (held.accessToken === accessToken) {
        if (Math.abs(now() + held.offset - issued(held)) < half) return null;
        unwanted = accessToken;
      }
      const next = await needed(session.user.id, 0);
      return next?.accessToken === accessToken ? null : next;
    },
    async put(made) {
      await ready;
      await happen(() => write(made, true));
    },
    async end() {
      await ready;
      let gone: Stored | null = null;
      await happen(() => (gone = held) && leave());
      return gone;
    },
    subscribe(fn) {
      if (shown !== undefined) tell(fn, "initial");
      subscribers.add(fn);
      return () => subscribers.delete(fn);
    },
    dispose() {
      over = true;
      answers = null;
      env.clearTimeout(timer);
      channel?.close();
      listening.abort();
      subscribers.clear();
      follow();
    },
  };
}
