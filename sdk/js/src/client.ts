// createClient for an app that holds its tokens itself.

import { form, makeAsk } from "./ask.js";
import { makeCalls } from "./calls.js";
import type { Env } from "./env.js";
import { makeRequests } from "./requests.js";
import { makeHolder, type Holder } from "./session.js";
import type { Client, ClientOptions } from "./types.js";

/**
 * The sign-in of an app, in a browser. Where there is no document it keeps, asks and waits for nothing, and nobody is ever
 * signed in.
 */
export function createClient(options: ClientOptions): Client {
  return makeClient(options, globalThis as unknown as Env);
}

/** What each client stands on: for entries that sign in by other ways. @internal */
export const inside = new WeakMap<Client, { options: ClientOptions; env: Env; holder: Holder }>();

/** @internal */
export function makeClient(options: ClientOptions, env: Env): Client {
  const { issuer, clientId } = options;
  if (!issuer || !clientId) throw new TypeError("issuer, clientId");
  const ask = makeAsk(issuer, env);
  const holder = makeHolder(options, env, ask);
  const client: Client = {
    ...makeRequests(options, env, ask, holder),
    ...makeCalls(options, env, holder),
    ready: holder.ready,
    get session() {
      return holder.current()?.session ?? null;
    },
    getAccessToken: async (asked) => (await holder.token(asked?.minValidity))?.accessToken ?? null,
    subscribe: holder.subscribe,
    async signOut({ postLogoutRedirectUri = env.location.origin + "/", here } = {}) {
      const held = await holder.end(); // first of all: whatever becomes of the requests below, nobody is signed in here
      const token = held?.refreshToken ?? held?.accessToken;
      const revoked = token && ask("/oauth/revoke", { ...form({ token, client_id: clientId }), keepalive: true }).catch(() => {});
      if (here) return void (await revoked);
      const query = new URLSearchParams({
        ...(held?.idToken && { id_token_hint: held.idToken }),
        client_id: clientId,
        post_logout_redirect_uri: postLogoutRedirectUri,
      });
      // A sign-in by ./password has no session on the server's pages that would have to end as well.
      env.location.assign(held?.kind === "auth" ? postLogoutRedirectUri : `${issuer}/oauth/logout?${query}`);
    },
    accountUrl: ({ returnTo } = {}) =>
      issuer + "/account" + (returnTo ? "?" + new URLSearchParams({ return_to: new URL(returnTo, env.location?.href).href }) : ""),
    dispose: holder.dispose,
  };
  inside.set(client, { options, env, holder });
  return client;
}
