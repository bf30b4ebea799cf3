// The sessions that have ended, as the issuer's feed tells them: polled in the background, looked up by every check.

import { leeway, readObject, type Claims } from "./claims.js";
import { invalidToken, unavailable } from "./refusal.js";
import { background, second, within } from "./runtime.js";

/** A client of the issuer's clients file that has `feed = true`. */
export interface FeedOptions {
  /** Its alias. */
  clientId: string;
  /** Its secret. */
  clientSecret: string;
  /**
   * For how many seconds after the feed's last answer tokens are taken without it; then they are answered 503. Without it
   * 300. With 0 none is taken from when a poll has failed until one is answered.
   */
  openFor?: number;
}

/** How long an answer may take that waits for nothing, and one that may wait: the issuer has it wait 25 seconds at most. */
const [atOnce, waiting] = [5 * second, 35 * second];
/** How many bytes an answer may have: several times as many as 10,000 sessions need. */
const longest = 4 << 20;
/** How far apart polls begin at least. */
const every = 200;
/** How long to wait after the first failure, then twice as long each time, and at most. */
const [retry, retryMost] = [second, 15 * second];

export interface Feed {
  /** Throws for a session that has ended, and for any where the feed has been away for too long. */
  check(claims: Claims): Promise<void>;
  close(): void;
}

/**
 * Polls until it is closed. `open` gives the payload of an answer that the issuer has signed. Throws feed_unsupported in
 * workerd, where nothing runs between requests.
 */
export function makeFeed(issuer: string, { clientId, clientSecret, openFor = 300 }: FeedOptions, open: (jwt: string) => Promise<Uint8Array>): Feed {
  const url = new URL(issuer.replace(/\/+$/, "") + "/oauth/revocations");
  const line = background(url.protocol, longest);
  if (!line) throw unavailable("feed_unsupported", "The feed needs sockets that keep no process alive: Node, Deno or Bun.");
  const authorization = "Basic " + btoa(encodeURIComponent(clientId) + ":" + encodeURIComponent(clientSecret)); // RFC 6749, section 2.3.1
  let ended: ReadonlySet<unknown> = new Set();
  let floor = -Infinity;
  /** When the feed has last answered; before that, when it was first asked. */
  let told = Date.now();
  /** Why the last poll has failed, or that there was none. */
  let away: { cause: unknown } | null = { cause: undefined };
  let begun = false;
  let closed = false;
  const first = new Promise<void>((resolve) => void run(resolve));

  async function run(firstIsOver: () => void): Promise<void> {
    for (let pause = 0; !closed; ) {
      const start = performance.now();
      try {
        const patience = url.search ? waiting : atOnce;
        read(await open(await line!.get(url, authorization, patience)));
        away = null;
        pause = 0;
      } catch (cause) {
        if (closed) break;
        away = { cause };
        url.search = ""; // to be answered at once
        pause = Math.min(Math.max(2 * pause, retry), retryMost);
      }
      if (!begun) firstIsOver();
      begun = true;
      await line!.sleep(pause || Math.max(every - (performance.now() - start), 0));
    }
    firstIsOver();
  }

  /** Reads the claims of an answer, which must be this issuer's, for this client, and of now. */
  function read(payload: Uint8Array): void {
    const { iss, aud, exp, cursor, sids, floor: newest = -Infinity } = readObject(payload) ?? {};
    const isWhole = typeof cursor === "string" && cursor && Array.isArray(sids) && typeof newest === "number";
    if (iss !== issuer || aud !== clientId || !isWhole) throw new Error("the answer is another issuer's or another client's, or is not whole");
    const now = Date.now();
    if (!(now <= (Number(exp) + leeway) * second)) throw new Error("the answer has run out: this machine's clock and the issuer's differ");
    [ended, floor, told] = [new Set(sids), newest, now];
    url.search = "?after=" + encodeURIComponent(cursor); // the next answer waits until there is more
  }

  async function check({ sid, iat }: Claims): Promise<void> {
    if (!sid) return;
    if (!begun) await stay(first);
    if (ended.has(sid)) throw invalidToken("The session has ended.");
    if (iat <= floor) throw invalidToken("The session may have ended: refresh the token.");
    if (away && !within(told, openFor * second)) {
      throw unavailable("feed_unavailable", "Which sessions have ended is not known now.", away.cause);
    }
  }

  function close(): void {
    closed = true;
    line!.end();
  }

  return { check, close };
}

/** Waits, and has the process stay meanwhile: somebody asks. */
async function stay(promise: Promise<void>): Promise<void> {
  const timer = setTimeout(() => {}, waiting);
  await promise;
  clearTimeout(timer);
}
