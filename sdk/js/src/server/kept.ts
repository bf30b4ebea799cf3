// What is kept of a sign-in: made of an answer of the token endpoint, and read from where it was kept.

import { claims } from "../stored.js";
import type { Session } from "../types.js";
import type { Settings } from "./settings.js";

export interface Kept {
  v: 1;
  sid: string;
  /** Null for a client that is given none (`consent` without the scope offline_access). */
  refreshToken: string | null;
  /** Null in a cookie that would be too long with it. */
  accessToken: string | null;
  /** When it is to be refreshed, and when it runs out, in milliseconds by the issuer's clock. */
  dueAt: number;
  endsAt: number;
  /** The issuer's clock less that of the machine that wrote this, in milliseconds. */
  offset: number;
  /** Null in a cookie. */
  idToken: string | null;
  session: Session;
}

/** A sign-in, with the seconds for which it is kept without a refresh. */
export interface Made {
  kept: Kept;
  lasts: number;
}

/** How long before its end an access token is refreshed, in milliseconds; at most a third of its life. */
const lead = 90_000;

/**
 * What the tokens of an answer have to say; null where they do not belong together, to this app, to the request (`nonce`)
 * or to the session that was refreshed (`before`). Signatures are not looked at: the tokens come from the issuer by TLS
 * (OpenID Connect Core 1.0, section 3.1.3.7).
 */
export function madeOf(
  body: Record<string, unknown>,
  { issuer, clientId }: Settings,
  expected: { nonce?: string | null; before?: Kept },
  offset: number | null,
  now: number,
): Made | null {
  const { before, nonce } = expected;
  const access = claims(body.access_token);
  if (typeof access.sid !== "string" || typeof access.sub !== "string") return null;
  const { sid, sub, exp, iat } = access;
  if (typeof exp !== "number" || typeof iat !== "number") return null;
  const refresh = body.refresh_token === undefined ? null : claims(body.refresh_token);
  if (refresh && refresh.sid !== sid) return null;
  const id = body.id_token === undefined ? null : claims(body.id_token);
  if (id || nonce) {
    const audience = Array.isArray(id?.aud) && id.aud.length === 1 ? id.aud[0] : id?.aud;
    if (!id || id.iss !== issuer || audience !== clientId || id.sub !== sub || id.sid !== sid) return null;
    if (nonce && id.nonce !== nonce) return null;
  }
  if (before && (before.sid !== sid || before.session.user.id !== sub)) return null;
  const until = typeof refresh?.exp === "number" ? refresh.exp : exp;
  return {
    kept: {
      v: 1,
      sid,
      refreshToken: refresh ? String(body.refresh_token) : null,
      accessToken: String(body.access_token),
      dueAt: exp * 1000 - Math.min(lead, ((exp - iat) * 1000) / 3),
      endsAt: exp * 1000,
      offset: offset ?? iat * 1000 - now,
      idToken: id ? String(body.id_token) : (before?.idToken ?? null),
      session: id || !before ? sessionOf(id ?? access, sid, sub) : before.session,
    },
    lasts: until - iat,
  };
}

function sessionOf(said: Record<string, unknown>, sid: string, sub: string): Session {
  const text = (name: string) => (typeof said[name] === "string" ? said[name] : null);
  return {
    user: {
      id: sub,
      email: text("email"),
      emailVerified: said.email_verified === true,
      name: text("name"),
      givenName: text("given_name"),
      familyName: text("family_name"),
      locale: text("locale"),
    },
    sid,
    authTime: typeof said.auth_time === "number" ? said.auth_time : null,
    acr: text("acr"),
    amr: Array.isArray(said.amr) ? said.amr.map(String) : [],
  };
}

/** What was kept as text; null where it is something else. */
export function keptOf(text: string | null): Kept | null {
  try {
    const kept: Kept | null = JSON.parse(text!);
    return kept?.v === 1 && typeof kept.sid === "string" && typeof kept.session.user.id === "string" ? kept : null;
  } catch {
    return null;
  }
}

/** How often the session was refreshed when its token was made. Of two of one session the higher is the newer. */
export function generation({ refreshToken }: Kept): number {
  const { gen } = claims(refreshToken);
  return typeof gen === "number" ? gen : 0;
}
