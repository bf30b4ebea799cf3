// Sign-in by forms of the app's own, in place of the server's pages: what `latchkey-client/password` exports.

import { json, makeAsk, parsed, type Answer } from "./ask.js";
import { inside } from "./client.js";
import { shelf, type Env } from "./env.js";
import { LatchkeyError } from "./error.js";
import { nameOf } from "./session.js";
import { recordOf } from "./stored.js";
import type { Client } from "./types.js";

/** What becomes an account: its mailed code proves the address. */
export interface NewAccount {
  email: string;
  password: string;
  firstName: string;
  lastName: string;
  /** `verificationCode` of the mailed link. */
  verificationCode: string;
}

/**
 * The calls behind forms. Each rejects with a LatchkeyError: what the server refuses (`fields` says which field and why),
 * `network_error` or `timeout`. They need the app's origin in the client's `url` or `urls`, and a page: where there is no
 * document they reject with a TypeError.
 */
export interface Password {
  /**
   * Signs in, and the client goes on from there: its subscribers hear it, and it refreshes, calls and signs out. Rejects
   * with `invalid_credentials`, `email_not_verified`, or a code whose `retryAfter` says when to try again.
   */
  signIn(credentials: { email: string; password: string }): Promise<void>;
  /**
   * With the address alone it asks for a mail, whose link leads to `/verify-email-success` of the client's `url` with
   * `verificationCode` and `email`; with everything it makes the account, and signs nobody in.
   */
  signUp(account: { email: string } | NewAccount): Promise<void>;
  /** Proves an address by the mailed code, without an account. Rejects with `invalid_verification_code`. */
  verify(proof: { email: string; verificationCode: string }): Promise<void>;
  /** Asks for a mail, whose link leads to `/reset-password` of the client's `url`; it tells of no account whether it exists. */
  forgotPassword(account: { email: string }): Promise<void>;
  /**
   * Sets a password by the mailed code. Ends every session of the account, this browser's as well, and signs nobody in.
   * Rejects with `invalid_reset_token` or `password_not_accepted`.
   */
  resetPassword(proof: { email: string; verificationCode: string; password: string }): Promise<void>;
  /**
   * Changes the password of whoever is signed in, and ends their other sessions. Rejects with `invalid_credentials`,
   * `password_unchanged`, `password_not_accepted`; with `invalid_token` where nobody is signed in; and after a sign-in by the
   * server's pages with `insufficient_scope` where that did not ask for `account`.
   */
  changePassword(passwords: { oldPassword: string; newPassword: string }): Promise<void>;
}

/** How many addresses a device token is kept of. */
const most = 10;

/** Sign-in by email and password for a client that createClient of this package has made. */
export function createPassword(auth: Client): Password {
  const within = inside.get(auth);
  if (!within) throw new TypeError("createPassword takes a client of the same package's createClient");
  const { options, env, holder } = within;
  const { issuer, clientId: clientAlias } = options;
  const devices = makeDevices(env, nameOf(options) + ":device");

  /** Asks, with the device token of the account where there is one. */
  async function ask(email: string, path: string, init?: RequestInit): Promise<Answer> {
    if (!env.document) throw new TypeError("createPassword signs in in a page");
    const shown = devices.find(email);
    return makeAsk(issuer, env, async (url, given) => {
      const headers = new Headers(given?.headers);
      if (shown) headers.set(device, shown);
      const response = await env.fetch(url, { ...given, headers });
      const handed = response.headers.get(device);
      if (handed) devices.keep(email, handed);
      return response;
    })(path, init);
  }
  /** What is sent is the password itself, also where the server has a key for encrypted ones. */
  const plain = { isPasswordEncrypted: false };

  return {
    async signIn({ email, password }) {
      const { body, date } = await ask(email, "/auth/signin", json({ email, password, clientAlias, ...plain }));
      const made = recordOf("auth", body.data, options, date, env.Date.now());
      if (!made) throw new LatchkeyError("invalid_id_token");
      await holder.put(made);
    },
    async signUp(account) {
      const { email } = account;
      if (!("password" in account)) return void (await ask(email, "/auth/verification-mail", json({ email, clientAlias })));
      const { password, firstName, lastName, verificationCode } = account;
      await ask(email, "/auth/signup", json({ email, password, firstName, lastName, verificationCode, clientAlias, ...plain }));
    },
    async verify({ email, verificationCode }) {
      await ask(email, "/auth/verify?" + new URLSearchParams({ email, verificationCode }));
    },
    async forgotPassword({ email }) {
      await ask(email, "/auth/forgot-password", json({ email, clientAlias }));
    },
    async resetPassword({ email, verificationCode, password }) {
      await ask(email, "/auth/password-reset/" + encodeURIComponent(email), json({ password, token: verificationCode, ...plain }));
    },
    async changePassword({ oldPassword, newPassword }) {
      const held = await holder.token();
      if (!held) throw new LatchkeyError("invalid_token", "nobody is signed in");
      const { email } = held.session.user;
      const { headers, ...change } = json({ email, oldPassword, newPassword, ...plain });
      await ask(email ?? "", "/auth/reset-password", { ...change, headers: { ...headers, Authorization: "Bearer " + held.accessToken } });
    },
  };
}

const device = "X-Latchkey-Device";

/**
 * The device tokens of the addresses that have signed in here last. They open nothing: the server counts wrong passwords of
 * a device that it knows apart from everybody else's, so that strangers who guess hold up no owner.
 */
function makeDevices(env: Env, key: string) {
  const spelled = (email: string) => email.trim().toLowerCase();
  const read = (): [string, unknown][] => {
    const kept = parsed(shelf(env, "localStorage")?.getItem(key));
    return Object.entries((kept?.v === 1 && kept.tokens) || {});
  };
  return {
    find(email: string): string | undefined {
      const sought = spelled(email);
      const [, token] = read().find(([name]) => name === sought) ?? [];
      if (typeof token === "string" && /^[\w.-]+$/.test(token)) return token; // which a header takes
      return;
    },
    keep(email: string, token: string) {
      const others = read().filter(([name]) => name !== spelled(email));
      const tokens = Object.fromEntries([...others, [spelled(email), token]].slice(-most));
      try {
        shelf(env, "localStorage")?.setItem(key, JSON.stringify({ v: 1, tokens }));
      } catch {
        // it goes without one, until it signs in with room for it
      }
    },
  };
}
