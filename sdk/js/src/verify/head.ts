// JOSE headers: what one says, read once for all the tokens that begin with it.

import { base64url } from "jose";
import { readObject } from "./claims.js";

/** What is read of a header. All else in it is as if it were not there (RFC 8725, section 3.10). */
export interface Head {
  typ: string;
  kid: string;
}

export interface Heads {
  /**
   * What a header says; null where it is none, names no key, or says something that changes how the rest is read (RFC 7515,
   * section 4.1.11; RFC 7797).
   */
  read(text: string): Head | null;
  /** Remembers one that the issuer has signed: what each of a key's tokens of one type begins with. */
  remember(text: string, head: Head): void;
}

/** How many are remembered: an issuer has few. */
const most = 64;

export function makeHeads(): Heads {
  const remembered = new Map<string, Head>();
  return {
    read: (text) => remembered.get(text) ?? readHead(text),
    remember(text, head) {
      if (remembered.has(text)) return;
      if (remembered.size >= most) remembered.clear();
      remembered.set(text, head);
    },
  };
}

function readHead(text: string): Head | null {
  const { typ, kid, ...others } = readObject(decoded(text)) ?? {};
  if (typeof typ !== "string" || typeof kid !== "string" || !kid || "crit" in others || "b64" in others) return null;
  return { typ, kid };
}

function decoded(text: string): Uint8Array {
  try {
    return base64url.decode(text);
  } catch {
    return new Uint8Array(); // no object
  }
}
