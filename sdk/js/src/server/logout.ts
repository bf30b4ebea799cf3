// Signing out: at the person's wish, and as the issuer tells (OpenID Connect Back-Channel Logout 1.0).

import { createRemoteJWKSet, customFetch, errors, jwtVerify, type JWTPayload } from "jose";
import type { Issuer } from "./ask.js";
import { setCookie } from "./cookies.js";
import type { Found, Place } from "./places.js";
import type { Refresher } from "./refresh.js";
import { json, redirect, refused } from "./replies.js";
import type { Sessions } from "./session.js";
import type { Settings } from "./settings.js";

export interface SignOut {
  logout(request: Request, url: URL): Promise<Response>;
  backchannel(request: Request): Promise<Response>;
}

/** How long a form may be, in bytes: a logout token has one or two thousand. */
const longest = 16_384;

export function makeSignOut(settings: Settings, issuer: Issuer, place: Place, sessions: Sessions, { refresh }: Refresher): SignOut {
  const keys = createRemoteJWKSet(new URL(settings.issuer + "/.well-known/jwks.json"), { [customFetch]: issuer.fetch });

  async function logout(request: Request, url: URL): Promise<Response> {
    if (!sameOrigin(request)) return refused(403, "origin_not_allowed");
    const form = await formOf(request);
    if (!form) return refused(413, "invalid_request");
    const given = (name: string) => form.get(name) ?? url.searchParams.get(name);
    const here = given("here") === "1";
    const cookies = [setCookie(settings, settings.cookie, "", 0)];
    let location = here ? settings.baseUrl + "/" : settings.postLogoutRedirectUri;
    const found = await sessions.find(request);
    const hint = found && (await end(found));
    // Also for whoever is signed in no more, as when the button was pressed twice: the issuer asks whom no hint names.
    if (!here) {
      const query = new URLSearchParams({
        client_id: settings.clientId,
        post_logout_redirect_uri: given("post_logout_redirect_uri") ?? location,
        ...(hint && { id_token_hint: hint }),
      });
      location = `${settings.issuer}/oauth/logout?${query}`;
    }
    if (!request.headers.get("Accept")?.includes("application/json")) return redirect(location, cookies);
    return json({ location: here ? null : location }, cookies);
  }

  /** A form or a script of this app's own pages, and no other site's. Pages may keep their origin to themselves. */
  function sameOrigin({ headers }: Request): boolean {
    return headers.get("Origin") === settings.baseUrl || headers.get("Sec-Fetch-Site") === "same-origin";
  }

  /** Ends a session here, then at the issuer, which may be away; gives an ID token that says whose it was. */
  async function end(found: Found): Promise<string | null> {
    sessions.left(found.kept, true);
    let { idToken, refreshToken, accessToken } = found.kept;
    try {
      await place.end(found);
    } finally {
      // A sealed cookie has no room for an ID token, and a refresh gives one.
      if (!settings.store && refreshToken) idToken = (await refresh(found)).found?.kept.idToken ?? null;
      const token = refreshToken ?? accessToken;
      if (token) await issuer.post("/oauth/revoke", { token }).catch(() => {});
    }
    return idToken;
  }

  async function backchannel(request: Request): Promise<Response> {
    const token = (await formOf(request))?.get("logout_token");
    if (!token) return refused(400, "invalid_request");
    let payload: JWTPayload;
    try {
      ({ payload } = await jwtVerify(token, keys, {
        typ: "logout+jwt",
        algorithms: ["ES256", "EdDSA", "RS256"],
        issuer: settings.issuer,
        audience: settings.clientId,
        requiredClaims: ["iat", "exp", "jti", "sid", "events"],
        clockTolerance: 60,
        get currentDate() {
          return new Date(issuer.time(0)); // read after the keys have been asked for
        },
      }));
    } catch (error) {
      // Without the right keys nothing can be said of the token, and the issuer is to tell once more.
      const known = error instanceof errors.JOSEError && !/^ERR_(JWKS|JOSE_GENERIC)/.test(error.code);
      return known ? refused(400, "invalid_request") : refused(503, "unavailable", { "Retry-After": "5" });
    }
    const told = (payload.events as Record<string, unknown> | null)?.["http://schemas.openid.net/event/backchannel-logout"];
    if (typeof told !== "object" || !told || typeof payload.sid !== "string" || !payload.sid || "nonce" in payload) {
      return refused(400, "invalid_request");
    }
    await place.endSid(payload.sid);
    return new Response(null, { status: 200, headers: { "Cache-Control": "no-store" } });
  }

  return { logout, backchannel };
}

/** A form that was posted: an empty one where there is none, null where it is too long. */
async function formOf(request: Request): Promise<URLSearchParams | null> {
  if (!request.headers.get("Content-Type")?.startsWith("application/x-www-form-urlencoded") || !request.body) return new URLSearchParams();
  const reader = request.body.getReader();
  const text = new TextDecoder();
  let form = "";
  for (let length = 0; ; ) {
    const { done, value } = await reader.read();
    if (done) return new URLSearchParams(form);
    if ((length += value.length) > longest) {
      await reader.cancel();
      return null;
    }
    form += text.decode(value, { stream: true });
  }
}
