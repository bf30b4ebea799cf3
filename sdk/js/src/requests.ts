// Sign-in requests: how one is made and kept, and what becomes of its answer (handleCallback).

import { form, parsed, type Ask } from "./ask.js";
import { base64url, secret, shelf, type Env, type Shelf } from "./env.js";
import { LatchkeyError } from "./error.js";
import { nameOf, type Holder } from "./session.js";
import { recordOf } from "./stored.js";
import type { CallbackResult, Client, ClientOptions, SignInOptions } from "./types.js";

/** How long a request is kept, in milliseconds: a mail's link may be opened the next day. */
const day = 86_400_000;
/** How many are kept. */
const most = 10;
/** How long an exchange in another tab, or before a reload, may take: ask.ts waits a second less. */
const patience = 9000;

/** A request as it lies in storage. */
interface Request {
  at: number;
  returnTo: string;
  /** What authorize was asked with; dropped with a final outcome, as the verifier is. */
  query?: Record<string, string>;
  verifier?: string;
  /** Whether it stands for one whose exchange had no answer. */
  again?: true | undefined;
  /** When its code was sent. */
  sent?: number;
  /** The outcome: an error, or what handleCallback answers as `refused`. */
  error?: LatchkeyError;
  refused?: string | null;
}

export function makeRequests(options: ClientOptions, env: Env, ask: Ask, holder: Holder): Pick<Client, "signIn" | "signUp" | "handleCallback"> {
  const { issuer, clientId, redirectUri, resource, scope = "openid email profile" } = options;
  const { location, history } = env;
  const prefix = nameOf(options) + ":request:";
  const shelves = () => ["localStorage", "sessionStorage"].map((name) => shelf(env, name)).filter((one) => !!one);
  const now = () => env.Date.now();

  /** Stays pending, since the page is left. */
  async function signIn({ returnTo = "/", prompt, loginHint, maxAge, acrValues, uiLocales }: SignInOptions = {}): Promise<never> {
    return go(returnTo, {
      response_type: "code",
      client_id: clientId,
      redirect_uri: redirectUri ?? location.origin + "/callback",
      scope,
      code_challenge_method: "S256",
      resource,
      prompt,
      login_hint: loginHint,
      max_age: maxAge,
      acr_values: acrValues,
      ui_locales: uiLocales,
    });
  }
  async function go(returnTo: string, params: object, again?: true): Promise<never> {
    const [state, verifier, nonce] = [16, 32, 16].map((bytes) => secret(env, bytes)) as [string, string, string];
    const { subtle } = env.crypto;
    if (!subtle) throw new LatchkeyError("invalid_request", "crypto.subtle needs https");
    const challenge = await subtle.digest("SHA-256", new TextEncoder().encode(verifier));
    // through JSON, which has no undefined
    const query = JSON.parse(JSON.stringify({ ...params, state, nonce, code_challenge: base64url(new Uint8Array(challenge)) }));
    for (const shelf of shelves())
      Object.keys(shelf)
        .filter((key) => key.startsWith(prefix))
        .sort((one, other) => (read(shelf, other)?.at ?? 0) - (read(shelf, one)?.at ?? 0))
        .forEach((key, i) => (i > most - 2 || !read(shelf, key)) && shelf.removeItem(key));
    if (!keep(state, { at: now(), returnTo, query, verifier, again })) {
      throw new LatchkeyError("state_unknown", "no storage");
    }
    location[again ? "replace" : "assign"](`${issuer}/oauth/authorize?${new URLSearchParams(query)}`);
    return new Promise(() => {});
  }

  function keep(state: string, request: Request): boolean {
    shelves().forEach((shelf) => shelf.removeItem(prefix + state)); // makes room, and leaves no older one where this fails
    return shelves().some((shelf) => {
      try {
        shelf.setItem(prefix + state, JSON.stringify(request));
        return true;
      } catch {
        return false;
      }
    });
  }
  function find(state: string): Request | null | undefined {
    return shelves().map((shelf) => read(shelf, prefix + state)).find((kept) => kept);
  }
  function read(shelf: Shelf, key: string): Request | null {
    const kept = parsed(shelf.getItem(key));
    return now() - kept?.at < day ? kept : null;
  }

  async function handleCallback(): Promise<CallbackResult> {
    const url = new URL(location.href);
    const said: Said = Object.fromEntries(url.searchParams);
    const state: string = said.state ?? history.state?.latchkey ?? "";
    if (said.state) {
      for (const name of ["state", "iss", "code", "error", "error_description"]) url.searchParams.delete(name);
      history.replaceState({ ...history.state, latchkey: state }, "", url); // before anything is asked
    }
    for (;;) {
      const request = find(state);
      if (!request) {
        await holder.ready;
        if (holder.current()) return { returnTo: "/", refused: null };
        throw new LatchkeyError("state_unknown");
      }
      const { at, returnTo, sent, refused, error } = request;
      if (error) throw new LatchkeyError(error.code, error.message, error);
      // A path of this origin alone, which nobody reads as another host: "//evil.example", "/\\evil.example", and once a
      // router has resolved its dots "/..//evil.example".
      if (refused !== undefined) return { returnTo: /^(?!\/)|^[^?#]*(\/\/|\\)|[\t\n\r]/.test(returnTo) ? "/" : returnTo, refused };
      if (sent && Math.abs(now() - sent) < patience) await new Promise<void>((resolve) => env.setTimeout(resolve, 100));
      else keep(state, { at, returnTo, ...(await conclude(state, request, said)) }); // and it is read as by every other call
    }
  }

  /** What becomes of a request that has no outcome yet. */
  async function conclude(state: string, request: Request, { code, error, iss, error_description: why }: Said): Promise<Partial<Request>> {
    const { query, verifier } = request;
    const failed = (error: LatchkeyError) => ({ error: { ...error, message: error.message } }); // which JSON leaves out
    // Without a code here this is a page that was left, or reloaded, while its exchange was under way.
    let lost = new LatchkeyError("timeout");
    if (!request.sent && (code || error)) {
      keep(state, { ...request, sent: now() }); // before anything is awaited: effects run twice
      if (iss !== issuer) return failed(new LatchkeyError("issuer_mismatch"));
      // What prompt=none is answered where somebody would have to be asked is no error, and no sign-in.
      if (/^(login|interaction|consent)_required$/.test(error!)) return { refused: error! };
      if (!code) return failed(new LatchkeyError(error!, why));
      try {
        const { redirect_uri, nonce } = query!;
        const exchange = { grant_type: "authorization_code", code, redirect_uri: redirect_uri!, client_id: clientId, code_verifier: verifier! };
        const { body, date } = await ask("/oauth/token", form(exchange));
        const made = recordOf("oauth", body, options, date, now(), null, /\bopenid\b/.test(scope) && nonce!);
        if (!made) return failed(new LatchkeyError("invalid_id_token"));
        await holder.put(made);
        return { refused: null };
      } catch (error) {
        lost = error as LatchkeyError; // ask rejects with nothing else
        // A code that is no longer good may be of an answer that was lost: a browser that has lost one asks again by itself.
        if (/^4/.test(lost.status as any) && !/^(unavailable|invalid_grant)$/.test(lost.code)) return failed(lost);
      }
    }
    if (request.again) return failed(lost);
    return go(request.returnTo, { ...query, prompt: undefined }, true); // whoever was asked by it has answered
  }

  return { signIn, signUp: (asked) => signIn({ ...asked, prompt: "create" }), handleCallback };
}

/** The parameters of an answer, as the address has them. */
type Said = Partial<Record<string, string>>;
