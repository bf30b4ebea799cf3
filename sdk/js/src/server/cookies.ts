// Cookies: read from a request, and written.

import type { Settings } from "./settings.js";

/** A request of Node's http, or what else has its headers. */
export interface NodeRequest {
  /** By names in lower case. */
  headers: Record<string, string | string[] | undefined>;
}

/** The value of a cookie in a request's headers; null where there is none. */
export function cookieIn(from: Request | Headers | NodeRequest, name: string): string | null {
  const headers = "headers" in from ? from.headers : from;
  const sent = typeof headers.get === "function" ? headers.get("cookie") : (headers as NodeRequest["headers"]).cookie;
  for (const pair of String(sent ?? "").split(";")) {
    const at = pair.indexOf("=");
    if (pair.slice(0, at).trim() === name) return pair.slice(at + 1).trim();
  }
  return null;
}

/** Set-Cookie, for so many seconds; 0 takes the cookie back. */
export function setCookie({ secure }: Settings, name: string, value: string, seconds: number): string {
  return `${name}=${value}; Path=/; Max-Age=${Math.max(0, Math.floor(seconds))}; HttpOnly; SameSite=Lax${secure ? "; Secure" : ""}`;
}

/** A name for what nobody may guess: so many bytes by chance. */
export const chance = (bytes: number) => crypto.getRandomValues(new Uint8Array(bytes));
