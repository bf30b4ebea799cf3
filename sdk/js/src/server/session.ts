// getSession: who sent a request, and with which tokens the app may act for them.

import { LatchkeyError } from "../error.js";
import type { Session } from "../types.js";
import type { Issuer, World } from "./ask.js";
import { cookieIn, setCookie, type NodeRequest } from "./cookies.js";
import type { Kept } from "./kept.js";
import type { Found, Place } from "./places.js";
import { Recent } from "./recent.js";
import { fresh, type Refresher } from "./refresh.js";
import type { Settings } from "./settings.js";

/** Who sent a request. */
export interface ServerSession {
  /** Null when nobody is signed in. */
  readonly session: Session | null;
  /**
   * An access token of theirs, refreshed where needed; null when nobody is signed in. Without an answer of the server it is
   * the held token while that lives; then it rejects with a LatchkeyError: `network_error`, `timeout`, the server's, or
   * `invalid_token` where this request may not refresh: with `refresh: false`, and 20 seconds after getSession where the
   * session is sealed in the cookie, which may be an old one by then.
   */
  getAccessToken(): Promise<string | null>;
  /**
   * What the answer has to bring along: Set-Cookie after a refresh and after the session's end, nothing else and mostly
   * nothing. Read it when the answer begins: 20 seconds after the refresh it is empty, since a slow answer must not put an
   * old cookie back.
   */
  readonly headers: Headers;
}

export interface Sessions {
  find(from: Request | Headers | NodeRequest): Promise<Found | null>;
  get(from: Request | Headers | NodeRequest, options?: { refresh?: boolean }): Promise<ServerSession>;
  /** The browser has left this session: answers under way put its cookie back no more, and signed out they see nobody. */
  left(kept: Kept, signedOut: boolean): void;
}

export function makeSessions(settings: Settings, world: World, issuer: Issuer, place: Place, { refresh, superseded }: Refresher): Sessions {
  const gone = new Recent<{ signedOut: boolean }>(world.mono);
  const over = (kept: Kept, by: "dueAt" | "endsAt") => issuer.time(kept.offset) >= kept[by];

  async function find(from: Request | Headers | NodeRequest): Promise<Found | null> {
    const found = await place.find(cookieIn(from, settings.cookie));
    if (found && !found.kept.refreshToken && over(found.kept, "endsAt")) return null;
    return found && !gone.get(found.kept.sid)?.signedOut ? found : null;
  }

  async function get(from: Request | Headers | NodeRequest, { refresh: may = true }: { refresh?: boolean } = {}): Promise<ServerSession> {
    const began = world.mono();
    let found = await find(from);
    const brought = found?.kept;
    let change: { at: number; value: string } | null = null;
    let error: LatchkeyError | null = null;

    async function update(): Promise<void> {
      // Once more where another process has stored a token which is due by now, too. What a cookie has brought is refreshed
      // once: the browser may never be given the successor, and whose successor is refreshed is superseded.
      for (let tries = 0; tries < 2 && found?.kept.refreshToken; tries++) {
        const outcome = await refresh(found);
        found = outcome.found;
        error = outcome.error;
        if (outcome.lasts !== null) {
          // Who joins a refresh counts from that on; who brings its token later is given the cookie anew.
          const at = world.mono() - outcome.at < fresh ? outcome.at : world.mono();
          change = { at, value: setCookie(settings, settings.cookie, found?.cookie ?? "", outcome.lasts) };
        }
        if (error || !found || !settings.store || !over(found.kept, "dueAt")) return;
      }
    }

    if (may && found && over(found.kept, "dueAt")) await update();
    return {
      get session() {
        return found?.kept.session ?? null;
      },
      get headers() {
        const headers = new Headers();
        const old = brought && (gone.get(brought.sid) || superseded(brought));
        if (change && !old && world.mono() - change.at < fresh) headers.append("Set-Cookie", change.value);
        return headers;
      },
      async getAccessToken() {
        const good = (by: "dueAt" | "endsAt") => found?.kept.accessToken && !over(found.kept, by);
        const late = world.mono() - began >= fresh;
        if (found && !good("dueAt") && may && (settings.store || (found.kept === brought && !late))) {
          if (late) found = await place.again(found);
          if (!good("dueAt")) await update();
        }
        if (!found) return null;
        if (good("endsAt")) return found.kept.accessToken;
        throw error ?? new LatchkeyError("invalid_token", "The access token has run out, and this request may not refresh it");
      },
    };
  }

  return { find, get, left: (kept, signedOut) => gone.set(kept.sid, { signedOut }, Infinity) };
}
