// Where a sign-in is kept: sealed in the browser's cookie, or stored under the hash of what the cookie says.

import { base64url } from "../env.js";
import { chance } from "./cookies.js";
import { generation, keptOf, type Kept, type Made } from "./kept.js";
import { makeSeal } from "./seal.js";
import type { Settings } from "./settings.js";
import type { SessionStore } from "./store.js";

/** A sign-in, and the cookie that it was found by. */
export interface Found {
  cookie: string;
  kept: Kept;
}

/** Rejects with what the store does, and with nothing else. */
export interface Place {
  find(cookie: string | null): Promise<Found | null>;
  /** The newest that is kept there. */
  again(found: Found): Promise<Found | null>;
  /** Keeps a new sign-in: its cookie; null where its session has ended already. */
  begin(made: Made): Promise<string | null>;
  /** Keeps what a refresh gave, or finds something newer: null where the sign-in is gone. */
  renew(found: Found, made: Made): Promise<Found | null>;
  end(found: Found): Promise<void>;
  /** Ends what is kept of a session, wherever it lies. */
  endSid(sid: string): Promise<void>;
}

/** What a browser surely keeps of a cookie, in bytes, its name included. */
const longest = 4000;

export function sealedPlace(settings: Settings): Place {
  const { seal, open } = makeSeal(settings, settings.cookie);

  /** The access token stays outside where the cookie would be too long. */
  async function sealed(kept: Kept): Promise<string> {
    for (const part of [{ idToken: null }, { idToken: null, accessToken: null }]) {
      const cookie = await seal(JSON.stringify({ ...kept, ...part }));
      if (settings.cookie.length + 1 + cookie.length <= longest) return cookie;
    }
    throw new Error("The session does not fit into a cookie: give createServer a store");
  }

  return {
    async find(cookie) {
      const kept = cookie ? keptOf(await open(cookie)) : null;
      return kept && { cookie: cookie!, kept };
    },
    again: async (found) => found,
    begin: ({ kept }) => sealed(kept),
    renew: async (_, { kept }) => ({ cookie: await sealed(kept), kept }),
    async end() {},
    async endSid() {},
  };
}

/** How long an ended session is remembered, in milliseconds: longer than a refresh or an exchange that was under way. */
const remembered = 120_000;

export function storedPlace({ issuer, cookie: name }: Settings, store: SessionStore, now: () => number): Place {
  /** Neither the cookie's name nor its value tells the key, and another app's cookie opens nothing here. */
  async function keyOf(cookie: string): Promise<string> {
    const text = new TextEncoder().encode(`${issuer} ${name} ${cookie}`);
    return base64url(new Uint8Array(await crypto.subtle.digest("SHA-256", text)));
  }

  const expiry = ({ kept, lasts }: Made) => ({ sid: kept.sid, expiresAt: now() + lasts * 1000 });
  const mark = (sid: string) => "ended:" + sid;
  const hasEnded = async (sid: string) => (await store.get(mark(sid))) !== null;

  async function find(cookie: string | null): Promise<Found | null> {
    const kept = cookie ? keptOf(await store.get(await keyOf(cookie))) : null;
    return kept && { cookie: cookie!, kept };
  }

  async function markEnded(sid: string): Promise<void> {
    // under a sid of its own: deleteBySid must not find it
    await store.set(mark(sid), "1", { sid: mark(sid), expiresAt: now() + remembered });
  }

  return {
    find,
    again: ({ cookie }) => find(cookie),
    async begin(made) {
      const { sid } = made.kept;
      if (await hasEnded(sid)) return null;
      const cookie = base64url(chance(32));
      const key = await keyOf(cookie);
      if (!(await store.set(key, JSON.stringify(made.kept), expiry(made)))) throw new Error("The store has not kept a session");
      if (!(await hasEnded(sid))) return cookie;
      await store.delete(key); // its end came between
      return null;
    },
    async renew(found, made) {
      const there = await find(found.cookie);
      if (!there || (await hasEnded(made.kept.sid))) return null;
      if (there.kept.sid === made.kept.sid && generation(there.kept) > generation(made.kept)) return there;
      const kept = await store.set(await keyOf(found.cookie), JSON.stringify(made.kept), { ...expiry(made), ifPresent: true });
      return kept ? { cookie: found.cookie, kept: made.kept } : null;
    },
    async end({ cookie, kept }) {
      await markEnded(kept.sid);
      await store.delete(await keyOf(cookie));
    },
    async endSid(sid) {
      await markEnded(sid);
      await store.deleteBySid(sid);
    },
  };
}
