// The stored record: how tokens become one, which is sound, which of two is newer. Pure.

import type { Session } from "./types.js";

export interface Stored {
  v: 1;
  /** Which endpoints made the session, and so which one refreshes it. */
  kind: "auth" | "oauth";
  sid: string;
  /** Null where the server gives none: a third party without `offline_access`. */
  refreshToken: string | null;
  accessToken: string;
  /** `exp` of the access token in milliseconds, by the server's clock. */
  endsAt: number;
  /** The server's clock less this machine's, in milliseconds. */
  offset: number;
  idToken: string | null;
  session: Session;
}

/** How far the Date of an answer may be from its access token's `iat`, in milliseconds: beyond it is a cache's, or wrong. */
const minute = 60_000;

/** The claims of a JWT; none where it is none. Nobody but its issuer should take them for true. */
export function claims(token: any): any {
  try {
    const bytes = atob(token.split(".")[1].replace(/-/g, "+").replace(/_/g, "/"));
    return JSON.parse(decodeURIComponent(escape(bytes))) || {}; // UTF-8, as text
  } catch {
    return {};
  }
}

/** The value, where it is a sound record: its tokens and its session are of one sid and one user. Else null. */
export function sound(value: any): Stored | null {
  const { v, kind, sid, refreshToken, accessToken, endsAt, offset, session } = value ?? {};
  const access = claims(accessToken);
  const refresh = refreshToken === null ? { sid, gen: 0 } : claims(refreshToken);
  return v === 1 &&
    (kind === "auth" || kind === "oauth") &&
    typeof sid === "string" &&
    refresh.sid === sid &&
    access.sid === sid &&
    session?.sid === sid &&
    session.user?.id === access.sub &&
    typeof access.sub === "string" &&
    [endsAt, offset, access.iat, refresh.gen].every(Number.isFinite)
    ? value
    : null;
}

/**
 * The record of tokens as an answer has them; null where they do not belong together, to this app, to the request of that
 * `nonce`, or to the session that was held before. Signatures are not looked at: the tokens come from the issuer by TLS
 * (OpenID Connect Core 1.0, section 3.1.3.7). `date` is the answer's, `now` this machine's clock.
 */
export function recordOf(
  kind: Stored["kind"],
  given: any,
  { issuer, clientId }: { issuer: string; clientId: string },
  date: number,
  now: number,
  before?: Stored | null,
  nonce?: string | false,
): Stored | null {
  const { access_token, refresh_token = null, id_token } = given ?? {};
  const access = claims(access_token);
  const { sid, sub, iat, exp } = access;
  const id = id_token ? claims(id_token) : access;
  const claim = (name: string) => id[name] ?? null;
  const made = sound({
    v: 1,
    kind,
    sid,
    refreshToken: refresh_token,
    accessToken: access_token,
    endsAt: exp * 1000,
    offset: (Math.abs(date - iat * 1000) < minute ? date : iat * 1000) - now,
    idToken: id_token ?? before?.idToken ?? null,
    session:
      before && kind === "oauth" && !id_token
        ? before.session
        : {
            user: {
              id: claim("sub"),
              email: claim("email"),
              emailVerified: claim("email_verified") === true,
              name: claim("name"),
              givenName: claim("given_name"),
              familyName: claim("family_name"),
              locale: claim("locale"),
            },
            sid: claim("sid"),
            authTime: claim("auth_time"),
            acr: claim("acr"),
            amr: claim("amr") ?? [],
          },
  });
  const ours = id_token ? id.iss === issuer && String([id.aud]) === clientId && (!nonce || id.nonce === nonce) : !nonce;
  return ours && (!before || (before.sid === sid && before.session.user.id === sub && refresh_token)) ? made : null;
}

/** The newer of two records of one sid; at a tie that with the later access token, else the first. */
export function newest(one: Stored, other: Stored): Stored {
  return (generation(other) - generation(one) || other.endsAt - one.endsAt) > 0 ? other : one;
}

/** How often the session's refresh token was replaced; 0 without one. */
function generation({ refreshToken }: Stored): number {
  return claims(refreshToken).gen || 0;
}

/** How long the access token still lives, in milliseconds. */
export function left(stored: Stored, now: number): number {
  return stored.endsAt - stored.offset - now;
}

/** A third of the access token's whole life, in milliseconds. */
export function third(stored: Stored): number {
  return (stored.endsAt - issued(stored)) / 3;
}

/** When the access token was issued, in milliseconds, by the server's clock. */
export function issued({ accessToken }: Stored): number {
  return claims(accessToken).iat * 1000 || 0;
}
