// Text sealed into a cookie: nobody without a secret reads or makes it, and it opens under the name it was sealed for alone.

import { CompactEncrypt, compactDecrypt } from "jose";
import type { Settings } from "./settings.js";

/** One for each cookie. */
export interface Seal {
  /** With the first secret. */
  seal(text: string): Promise<string>;
  /** With any secret; null for what none of them opens. */
  open(sealed: string): Promise<string | null>;
}

/** A cookie of another issuer, though of the same name and secret, does not open either. */
export function makeSeal({ issuer, cookieSecrets }: Settings, cookie: string): Seal {
  const keys: Uint8Array[] = []; // no promises: workerd shares none between requests
  const keyOf = async (i: number) => (keys[i] ??= await derive(cookieSecrets[i]!, `latchkey cookie v1 ${issuer} ${cookie}`));
  return {
    async seal(text) {
      const header = { alg: "dir", enc: "A256GCM" };
      return new CompactEncrypt(new TextEncoder().encode(text)).setProtectedHeader(header).encrypt(await keyOf(0));
    },
    async open(sealed) {
      for (let i = 0; i < cookieSecrets.length; i++) {
        try {
          const options = { keyManagementAlgorithms: ["dir"], contentEncryptionAlgorithms: ["A256GCM"] };
          return new TextDecoder().decode((await compactDecrypt(sealed, await keyOf(i), options)).plaintext);
        } catch {
          // not sealed with this one
        }
      }
      return null;
    },
  };
}

/** HKDF with SHA-256 (RFC 5869): a key for each purpose. */
async function derive(secret: string, purpose: string): Promise<Uint8Array> {
  const text = new TextEncoder();
  const key = await crypto.subtle.importKey("raw", text.encode(secret), "HKDF", false, ["deriveBits"]);
  const how = { name: "HKDF", hash: "SHA-256", salt: new Uint8Array(), info: text.encode(purpose) };
  return new Uint8Array(await crypto.subtle.deriveBits(how, key, 256));
}
