// Calls with the access token: to the app's own APIs, and to the server about the person's sessions.

import { json, makeAsk } from "./ask.js";
import type { Env } from "./env.js";
import { LatchkeyError } from "./error.js";
import type { Holder } from "./session.js";
import type { Stored } from "./stored.js";
import type { Client, ClientOptions } from "./types.js";

export function makeCalls(options: ClientOptions, env: Env, holder: Holder): Pick<Client, "fetch" | "sessions"> {
  const { issuer, apis = [] } = options;

  /** Adds the token. A 401 to one that could be newer refreshes, and asks once more where the body can be sent again. */
  async function call(input: any, init?: RequestInit): Promise<Response> {
    const ask = (stored: Stored | null): Promise<Response> => {
      const headers = new Headers(init?.headers ?? input.headers);
      if (headers.has("Authorization")) throw new TypeError("Authorization");
      if (stored) headers.set("Authorization", "Bearer " + stored.accessToken);
      return env.fetch(input.clone?.() ?? input, { ...init, headers });
    };
    const stored = await holder.token();
    const response = await ask(stored);
    const last =
      response.status !== 401 ||
      !stored ||
      init?.body instanceof ReadableStream ||
      /insufficient_/.test(response.headers.get("WWW-Authenticate")!);
    const next = last ? null : await holder.refused(stored);
    return next ? ask(next) : response;
  }

  const ask = makeAsk(issuer, env, call);
  const about = async (path: string, init?: RequestInit): Promise<any> => (await ask(path, init)).body.data;
  return {
    async fetch(input, init) {
      // As the browser would, which goes by <base>; and what was looked at is what is asked.
      const { href, origin } = new URL((input as Request).url ?? input, env.document?.baseURI);
      if (![env.location?.origin, ...apis].includes(origin)) {
        throw new LatchkeyError("origin_not_allowed", "apis lacks " + origin);
      }
      return call((input as Request).clone ? input : href, init);
    },
    sessions: {
      list: async () => about(`/auth/${(await holder.token())?.session.user.id}/sessions`),
      end: (id) => about("/auth/signout", json({ sessions: [id] })), // an id that is none leads to no other path
      endOthers: () => about("/auth/signout", json({ others: true })),
    },
  };
}
