// Records for tests, of tokens that nobody signed.

import { recordOf, type Stored } from "../../src/stored.js";

export const issuer = "https://id.example";
export const options = { issuer, clientId: "shop" };
/** The name of the record, and of the channel. */
export const key = `latchkey:${issuer}:shop`;

export const noon = Date.UTC(2027, 0, 1, 12);

const encode = (value: unknown) => Buffer.from(JSON.stringify(value)).toString("base64url");
export const jwt = (said: unknown) => `${encode({ alg: "none" })}.${encode(said)}.x`;

export interface Made {
  sid?: string;
  user?: string;
  /** When the access token was issued. */
  at?: number;
  /** Seconds. */
  life?: number;
  /** This machine's clock. */
  now?: number;
  kind?: Stored["kind"];
  refresh?: boolean;
}

/** What a server answers: a refresh token of that generation, an access token that was issued at noon for ten minutes. */
export function tokens(generation: number, o: Made = {}): Record<string, unknown> {
  const { sid = "s1", user = "anna", at = noon, life = 600, kind = "oauth", refresh = true } = o;
  const iat = at / 1000;
  const about = { iss: issuer, sub: user, sid, iat, exp: iat + life };
  return {
    access_token: jwt({ ...about, jti: `${generation}-${at}` }),
    ...(refresh && { refresh_token: jwt({ iss: issuer, sid, gen: generation }) }),
    ...(kind === "oauth" && { id_token: jwt({ ...about, aud: "shop", email: user + "@example.com" }) }),
  };
}

/** The record of those tokens. */
export function made(generation: number, o: Made = {}): Stored {
  const { at = noon, now = at, kind = "oauth" } = o;
  return recordOf(kind, tokens(generation, o), options, at, now)!;
}
