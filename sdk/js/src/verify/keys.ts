// The issuer's keys: had once, used while they are asked for anew, and asked for at once when a token names another.

import { importJWK, type CryptoKey, type JWK } from "jose";
import { invalidToken, unavailable } from "./refusal.js";
import { hour, isWorkerd, second, within } from "./runtime.js";

/** How long an asking may take. */
const patience = 5 * second;
/** How many bytes an answer may have. */
const longest = 1 << 20;
/** How long keys are used without another answer. */
const last = 24 * hour;
/** How long none begins after an asking that has failed. */
const pause = 2 * second;
/** How long none begins because of a key that nobody knows: whoever makes names up costs no more. */
const seekPause = 30 * second;
/** How long keys are fresh at least, and where the answer does not say. */
const [leastFresh, freshUnsaid] = [30 * second, 300 * second];
/** How often workerd looks whether another request has got the keys. */
const look = 20;

/** One of the issuer's keys, with the one algorithm it is for. */
export interface Key {
  alg: string;
  key: CryptoKey;
}

export type WaitUntil = (promise: Promise<unknown>) => void;

export interface Keys {
  /** A key by its name. Throws invalid_token when the issuer has none of that name, keys_unavailable when nobody knows. */
  find(name: string, waitUntil?: WaitUntil): Promise<Key>;
  close(): void;
}

interface Asking {
  since: number;
  over: Promise<void>;
  cancel: AbortController;
}

export function makeKeys(issuer: string): Keys {
  let keys: ReadonlyMap<string, Key> | null = null;
  let had = 0;
  let fresh = 0;
  let sought = -Infinity;
  let failed: { at: number; cause: unknown } | null = null;
  let asking: Asking | null = null;
  let closed = false;

  /** The asking that is under way. In workerd one ends unsaid when its request does. */
  const underWay = () => (asking && within(asking.since, patience + second) ? asking : null);
  const paused = () => failed !== null && within(failed.at, pause);
  const nobodyKnows = () => unavailable("keys_unavailable", "The keys to check the token with cannot be had now.", failed?.cause);

  async function find(name: string, waitUntil?: WaitUntil): Promise<Key> {
    for (let mine: Asking | null = null; ; ) {
      const usable = keys !== null && within(had, last);
      const key = usable ? keys!.get(name) : undefined;
      let wait = underWay();
      if (key) {
        if (!wait && !closed && !within(had, fresh) && !paused()) await inBackground(ask(), waitUntil);
        return key;
      }
      if (!wait) {
        const soughtNow = usable && within(sought, seekPause);
        if (soughtNow && !failed) throw invalidToken("No key of the issuer has signed the token.");
        if (soughtNow || (!usable && paused()) || closed) throw nobodyKnows();
        if (usable) sought = Date.now();
        wait = mine = ask();
      }
      await (isWorkerd() && wait !== mine ? new Promise((resolve) => setTimeout(resolve, look)) : wait.over);
    }
  }

  /** Begins to ask. */
  function ask(): Asking {
    const cancel = new AbortController();
    const begun: Asking = { since: Date.now(), cancel, over: Promise.resolve() };
    const end = (note: () => void) => {
      if (asking !== begun) return; // it took so long that another has begun
      asking = null;
      note();
    };
    begun.over = fetchKeys(issuer, cancel).then(
      (answer) => end(() => ([keys, had, fresh, failed] = [answer.keys, begun.since, answer.fresh, null])),
      (cause: unknown) => end(() => (failed = { at: Date.now(), cause })),
    );
    return (asking = begun);
  }

  /** Has nobody wait, but in workerd, where what nobody waits for ends with the request. */
  async function inBackground({ over }: Asking, waitUntil?: WaitUntil): Promise<void> {
    if (waitUntil) waitUntil(over);
    else if (isWorkerd()) await over;
  }

  function close(): void {
    closed = true;
    asking?.cancel.abort(new Error("the verifier is closed"));
  }

  return { find, close };
}

/** Asks for the keys, and says for how many milliseconds they are fresh. */
async function fetchKeys(issuer: string, cancel: AbortController): Promise<{ keys: ReadonlyMap<string, Key>; fresh: number }> {
  const url = `${issuer}/.well-known/jwks.json`;
  const timer = setTimeout(() => cancel.abort(new Error(`${url} has not answered within ${patience / second} s`)), patience);
  try {
    const answer = await fetch(url, { redirect: "manual", signal: cancel.signal });
    if (answer.status !== 200) throw new Error(`${url} answers ${answer.status}`);
    const keys = await importKeys(await textOf(answer));
    if (keys.size === 0) throw new Error(`${url} has no key to check a signature with`);
    return { keys, fresh: freshness(answer.headers.get("Cache-Control") ?? "") };
  } finally {
    clearTimeout(timer);
  }
}

/** The text of an answer that is as long as it may be. */
async function textOf(answer: Response): Promise<string> {
  const decoder = new TextDecoder();
  const reader = answer.body!.getReader();
  let text = "";
  for (let bytes = 0; ; ) {
    const { done, value } = await reader.read();
    if (done) return text + decoder.decode();
    if ((bytes += value.length) > longest) {
      await reader.cancel();
      throw new Error(`${answer.url} answers more than ${longest} bytes`);
    }
    text += decoder.decode(value, { stream: true });
  }
}

/** The algorithms that a Latchkey signs with. */
const algorithms: readonly unknown[] = ["ES256", "EdDSA", "RS256"];

/**
 * Reads a key set (RFC 7517, section 5). Keys that no token of a Latchkey is signed with are left out, and of two of one
 * name the second.
 */
async function importKeys(text: string): Promise<ReadonlyMap<string, Key>> {
  const set = JSON.parse(text) as { keys?: unknown } | null;
  const keys = new Map<string, Key>();
  for (const jwk of Array.isArray(set?.keys) ? (set.keys as (JWK | null)[]) : []) {
    const key = await importKey(jwk).catch(() => null);
    if (key && jwk?.kid && !keys.has(jwk.kid)) keys.set(jwk.kid, key);
  }
  return keys;
}

/** jose refuses a key that is not of the algorithm's type and curve. */
async function importKey(jwk: JWK | null): Promise<Key | null> {
  const { alg = "", kid, use } = jwk ?? {};
  if (!algorithms.includes(alg) || typeof kid !== "string" || (use && use !== "sig")) return null;
  const key = await importJWK(jwk!, alg);
  const bits = (key as { algorithm?: { modulusLength?: number } }).algorithm?.modulusLength ?? rsaBits;
  return key instanceof Uint8Array || key.type !== "public" || bits < rsaBits ? null : { alg, key };
}

/** RFC 7518, section 3.3: 2048 or larger. */
const rsaBits = 2048;

/** The max-age of an answer (RFC 9111, section 5.2.2.1), within bounds, in milliseconds. */
function freshness(header: string): number {
  for (const directive of header.split(",")) {
    const seconds = /^max-age=(\d+)$/.exec(directive.trim().toLowerCase())?.[1];
    if (seconds !== undefined) return Math.min(Math.max(Number(seconds) * second, leastFresh), last);
  }
  return freshUnsaid;
}
