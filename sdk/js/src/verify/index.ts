// What `latchkey-client/verify` exports: access tokens checked in the programs that they are shown to. On jose.

import { compactVerify } from "jose";
import { demand, readClaims, type Claims, type Requirements } from "./claims.js";
import { makeFeed, type Feed, type FeedOptions } from "./feed.js";
import { makeHeads } from "./head.js";
import { makeKeys, type WaitUntil } from "./keys.js";
import { invalidToken, malformed } from "./refusal.js";
import { shown, type RequestLike } from "./shown.js";

export { VerifyError } from "./refusal.js";
export type { Claims, FeedOptions, Requirements, RequestLike };

/** Whose tokens are taken, and for whom. */
export interface VerifierOptions {
  /** LATCHKEY_PUBLIC_URL, spelt as there: "https://id.example". */
  issuer: string;
  /** LATCHKEY_AUDIENCE (the issuer, unless set), or the `resource` that apps ask for. */
  audience: string;
  /**
   * With it a session that has ended is refused within two seconds; without it when its token runs out. It is polled from
   * now on, which keeps no process alive. In Cloudflare's workerd it throws `feed_unsupported`.
   */
  feed?: FeedOptions;
}

/** What a check asks for. */
export interface VerifyOptions extends Requirements {
  /**
   * For what should go on when the answer has been sent: `(promise) => ctx.waitUntil(promise)` in Cloudflare's workerd.
   * There, without it, whoever finds the keys stale waits for new ones.
   */
  waitUntil?: (promise: Promise<unknown>) => void;
}

/** Checks access tokens, any number at once. */
export interface Verifier {
  /**
   * What the access token of a request says, or the token itself. Rejects with a VerifyError, whose `status`,
   * `wwwAuthenticate` and `retryAfter` are the answer to send. Waits for keys and for the feed's first answer, some seconds
   * at most; else it asks nobody.
   */
  verify(from: RequestLike | string, options?: VerifyOptions): Promise<Claims>;
  /** Ends what runs beside the checks. What is checked afterwards is checked with the keys and ends that were known. */
  close(): void;
}

/** How many characters a token may have; an issuer signs none that is longer. */
const longest = 8192;
/** Types of the JWTs that are read (RFC 9068, section 2.1; RFC 8725, section 3.11). */
const access = ["at+jwt", "application/at+jwt"];
const revocations = ["revocations+jwt"];

/**
 * Checks access tokens as RFC 9068, section 4, and RFC 8725 say. Asks nothing yet but the feed, where there is one. Throws
 * a TypeError that names the option which is wrong.
 */
export function createVerifier(options: VerifierOptions): Verifier {
  known("createVerifier", options, ["issuer", "audience", "feed"]);
  const { issuer, audience, feed: feedOptions } = options;
  if (!isAddress(issuer)) throw new TypeError(`issuer ${JSON.stringify(issuer)} is not the URL of a Latchkey, such as https://id.example`);
  if (typeof audience !== "string" || !audience) throw new TypeError("audience is not set: it is LATCHKEY_AUDIENCE, or the issuer");
  const heads = makeHeads();
  const keys = makeKeys(issuer.replace(/\/+$/, ""));
  let feed: Feed | null = null;
  if (feedOptions) {
    known("feed", feedOptions, ["clientId", "clientSecret", "openFor"]);
    const { clientId, clientSecret, openFor = 0 } = feedOptions;
    if (typeof clientId !== "string" || !clientId) throw new TypeError("feed.clientId is not set: it is an alias of the issuer's clients file");
    if (typeof clientSecret !== "string" || !clientSecret) throw new TypeError("feed.clientSecret is not set");
    seconds("feed.openFor", openFor);
    feed = makeFeed(issuer, feedOptions, (jwt) => open(jwt, revocations));
  }

  /** The payload of a JWT of one of the types, if a key of the issuer has signed it. */
  async function open(jwt: string, types: readonly string[], waitUntil?: WaitUntil): Promise<Uint8Array> {
    const [first] = spelling.test(jwt) ? jwt.split(".", 1) : [];
    const head = first === undefined ? null : heads.read(first);
    if (!head || !types.includes(head.typ)) throw malformed();
    const { alg, key } = await keys.find(head.kid, waitUntil);
    try {
      // The key fixes the algorithm, never the token (RFC 8725, section 3.1).
      const { payload } = await compactVerify(jwt, key, { algorithms: [alg] });
      heads.remember(first!, head);
      return payload;
    } catch {
      throw malformed();
    }
  }

  return {
    async verify(from, options = {}) {
      known("verify", options, ["scope", "acr", "maxAge", "waitUntil"]);
      const { scope = "", acr = "", maxAge = Infinity, waitUntil } = options;
      if (typeof scope !== "string" || typeof acr !== "string") throw new TypeError("scope and acr are texts, their parts divided by spaces");
      seconds("maxAge", maxAge);
      const token = shown(from);
      if (token.length > longest) throw invalidToken("The token is too long.");
      const claims = readClaims(await open(token, access, waitUntil), issuer, audience);
      if (feed) await feed.check(claims);
      demand(claims, { scope, acr, maxAge });
      return claims;
    },
    close() {
      keys.close();
      feed?.close();
    },
  };
}

/** What a JWT is written of: decoders of base64 skip line ends. */
const spelling = /^[\w-]+\.[\w-]+\.[\w-]+$/;

function isAddress(issuer: unknown): issuer is string {
  const url = typeof issuer === "string" && URL.canParse(issuer) ? new URL(issuer) : null;
  return /^https?:$/.test(url?.protocol ?? "") && !/[?#\s]/.test(issuer as string);
}

/** Refuses an option that does not exist: a misspelt one would let everybody in. */
function known(of: string, options: object, names: readonly string[]): void {
  for (const name in options) {
    if (!names.includes(name)) throw new TypeError(`${of} has no option ${name}: it has ${names.join(", ")}`);
  }
}

function seconds(name: string, value: unknown): void {
  if (!(typeof value === "number" && value >= 0)) throw new TypeError(`${name} is a number of seconds, 0 or more`);
}
