// Which access token a request shows.

import { invalidRequest, nothingSent } from "./refusal.js";

/** A request: Fetch's Request, one of Node's, or whatever has its headers. */
export interface RequestLike {
  /** Fetch's Headers, or an object. */
  readonly headers: { get(name: string): string | null } | { readonly [name: string]: string | readonly string[] | undefined };
}

/** The token, which may be in the Authorization header alone (RFC 6750, section 2.1), or is given as it is. */
export function shown(from: RequestLike | string): string {
  if (typeof from === "string") return from || none();
  const headers: unknown = from?.headers;
  if (!headers || typeof headers !== "object") throw new TypeError("verify takes a request, an object with its headers, or an access token");
  const sent = authorizations(from);
  const [, token = ""] = /^Bearer(?: +(.*))?$/is.exec(sent[0] ?? "") ?? [];
  // Fetch's Headers put two into one, with a comma.
  if (sent.length > 1 || token.includes(",")) throw invalidRequest("There is more than one Authorization header.");
  return token || none();
}

function none(): never {
  throw nothingSent();
}

function authorizations({ headers, rawHeaders }: RequestLike & { rawHeaders?: readonly string[] }): readonly string[] {
  const isName = (name: string) => name.toLowerCase() === "authorization";
  if (typeof headers.get === "function") {
    const sent: string | null = headers.get("authorization");
    return sent === null ? [] : [sent];
  }
  const sent = Object.entries(headers).flatMap(([name, value]) => (isName(name) ? (value ?? []) : []));
  const raw = rawHeaders?.filter((name, i) => i % 2 === 0 && isName(name)) ?? []; // Node's headers have but the first of two
  return raw.length > 1 ? raw : sent;
}
