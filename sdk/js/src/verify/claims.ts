// What an access token says, and what a caller may ask of it.

import { insufficientAuthentication, insufficientScope, invalidToken } from "./refusal.js";

/**
 * What an access token says: its payload (RFC 9068, section 2.2).
 *
 * A token without `sid` is a client's own (client_credentials): its `sub` is its `client_id`, and no person's. An email
 * address may change, and another person may have it later: know people by `sub`.
 */
export interface Claims {
  iss: string;
  aud: string;
  /** Whose token it is: the same for this person for ever. */
  sub: string;
  client_id: string;
  jti: string;
  /** When the token was made, in seconds since 1970; so are the other times. */
  iat: number;
  exp: number;
  nbf?: number;
  /** The session's id. */
  sid?: string;
  /** What the token was given for, divided by spaces. */
  scope?: string;
  /** When the person proved who they are. */
  auth_time?: number;
  /** How sure that is (OpenID Connect Core 1.0, section 2). */
  acr?: string;
  /** How it was done (RFC 8176). */
  amr?: string[];
  email?: string;
  email_verified?: boolean;
  name?: string;
  given_name?: string;
  family_name?: string;
  [claim: string]: unknown;
}

/** What a token must say beyond being good. */
export interface Requirements {
  /** Divided by spaces: all of them. */
  scope?: string;
  /** Divided by spaces: one of them. */
  acr?: string;
  /** How long ago the person may have signed in, in seconds. A client's own token has no such time, and is refused. */
  maxAge?: number;
}

/** For clocks that differ, in seconds (RFC 7519, section 4.1.5). A token that has run out is given none. */
export const leeway = 60;
/** What a number of JSON holds exactly. */
const latest = 2 ** 53;

const types = {
  string: ["iss", "aud", "sub", "client_id", "jti", "sid", "scope", "acr", "email", "name", "given_name", "family_name"],
  number: ["iat", "exp", "nbf", "auth_time"],
  boolean: ["email_verified"],
} as const;

/** The claims of a payload that is an access token's, of this issuer for this audience, and of now (RFC 9068, section 4). */
export function readClaims(payload: Uint8Array, issuer: string, audience: string): Claims {
  const said = readObject(payload);
  if (!said) throw invalidToken("The token is not readable.");
  if (!isComplete(said)) throw invalidToken("The token lacks what an access token says.");
  const now = Date.now() / 1000;
  if (said.iss !== issuer) throw invalidToken("The token is another issuer's.");
  if (said.aud !== audience) throw invalidToken("The token is for another audience.");
  if (now >= said.exp) throw invalidToken("The token has expired.");
  if (now + leeway < said.iat || now + leeway < (said.nbf ?? 0)) throw invalidToken("The token is not valid yet.");
  return said;
}

function isComplete(said: Record<string, unknown>): said is Claims {
  const has = (name: string, type: string) => said[name] === undefined || typeof said[name] === type;
  return (
    types.string.every((name) => has(name, "string")) &&
    types.number.every((name) => has(name, "number") && !((said[name] as number) < 0 || (said[name] as number) > latest)) &&
    types.boolean.every((name) => has(name, "boolean")) &&
    (said.amr === undefined || (Array.isArray(said.amr) && said.amr.every((how) => typeof how === "string"))) &&
    Boolean(said.sub && said.client_id && said.jti && said.iat && said.exp)
  );
}

/** Throws where a good token lacks what is required. */
export function demand({ scope, auth_time, acr = "" }: Claims, required: Required<Requirements>): void {
  const has = words(scope);
  if (!words(required.scope).every((word) => has.includes(word))) throw insufficientScope(required);
  if (required.acr && !words(required.acr).includes(acr)) {
    throw insufficientAuthentication(required, "The sign-in is not of the kind that is asked for.");
  }
  if (required.maxAge < Infinity && !(auth_time && Date.now() / 1000 - auth_time <= required.maxAge)) {
    throw insufficientAuthentication(required, "The sign-in is too long ago.");
  }
}

const words = (text = "") => text.split(/\s+/).filter(Boolean);

/**
 * An object of JSON whose members come once each, since readers differ in which of two they take (RFC 8725, section 2.4);
 * else null.
 */
export function readObject(json: Uint8Array): Record<string, unknown> | null {
  try {
    const text = decoder.decode(json);
    const value: unknown = JSON.parse(text);
    if (typeof value !== "object" || value === null || Array.isArray(value)) return null;
    // Each member of the text has a colon; of two with one name, the value has one.
    return colons(text) === members(value) ? (value as Record<string, unknown>) : null;
  } catch {
    return null; // no UTF-8, no JSON, or nested too deep
  }
}

const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** How many colons of JSON are in no string. */
function colons(json: string): number {
  let count = 0;
  let within = false;
  for (let i = 0; i < json.length; i++) {
    const sign = json[i];
    if (sign === '"') within = !within;
    else if (within) i += Number(sign === "\\"); // what is escaped
    else count += Number(sign === ":");
  }
  return count;
}

/** How many members an object has, those within it included. */
function members(value: unknown): number {
  if (typeof value !== "object" || value === null) return 0;
  const within = Object.values(value);
  let count = Array.isArray(value) ? 0 : within.length;
  for (const member of within) count += members(member);
  return count;
}
