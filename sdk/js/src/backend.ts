// createClient({ server }): the browser's half of an app whose back end holds the tokens (`latchkey-client/server`).

import { createClient as createHolder } from "./client.js";
import { LatchkeyError } from "./error.js";
import type { Change, Client, ClientOptions, Reason, Session, SignInOptions } from "./types.js";

/** What createClient is told of the app's own back end. */
export interface ServerClientOptions {
  /** Where the back end has its routes, a path of this origin: "/auth". */
  server: string;
  /** The server's public address, for accountUrl. Without it the back end says it, which takes until `ready`. */
  issuer?: string;
  /** Whether tabs tell each other by BroadcastChannel. Without it they do. */
  channel?: boolean;
}

/** What makeBackend makes. The access tokens stay in the back end: getAccessToken answers null. */
export interface Backend extends Client {
  /** Asks this origin, to which the browser adds the cookie; another rejects with `origin_not_allowed`. */
  fetch(input: RequestInfo | URL, init?: RequestInit): Promise<Response>;
  /** Each rejects with `insufficient_scope`: they need an access token. */
  readonly sessions: { list(): Promise<never>; end(id: string): Promise<never>; endOthers(): Promise<never> };
}

/** The members of a window that are used. Without a document nothing else is. */
export interface Tab {
  document?: Pick<Document, "hidden"> & Record<"addEventListener" | "removeEventListener", (name: string, hear: () => void) => void>;
  location: Pick<Location, "origin" | "href" | "assign">;
  fetch(input: RequestInfo | URL, init?: RequestInit): Promise<Response>;
  setTimeout(run: () => void, ms?: number): unknown;
  BroadcastChannel: new (name: string) => Pick<BroadcastChannel, "onmessage" | "postMessage" | "close">;
}

/** After how many milliseconds a back end that has not yet said who is signed in is asked again: its refresh may take 8,000. */
const patience = 10_000;

/**
 * The back end is asked who is signed in until it says so, which fulfils `ready`: being offline signs nobody out. It is asked
 * again when the page is shown, when another tab has found something else, and after a 401. signOut rejects with
 * `network_error`, and leaves the session as it was, where the back end does not say that it has ended it: the cookie is
 * still there. accountUrl throws a TypeError before `ready` where createClient was not given the issuer.
 */
export function makeBackend({ server, issuer, channel = true }: ServerClientOptions, tab: Tab = globalThis): Backend {
  if (server[0] !== "/") throw new TypeError('server is a path, such as "/auth"');
  const { document, location } = tab;
  const listeners = new Set<(change: Change) => void>();
  let tabs: InstanceType<Tab["BroadcastChannel"]> | null = null;
  try {
    if (document && channel) tabs = new tab.BroadcastChannel("latchkey:" + server);
  } catch {
    // the browser's settings keep tabs apart
  }
  let session: Session | null | undefined; // undefined: nobody has said yet
  let asked = 0;
  /** Up to which question answers come too late. */
  let past = 0;
  let waits = false;
  let open!: () => void;
  const ready = new Promise<void>((resolve) => (open = resolve));

  /** What a route of the back end says; nothing where there is no answer, or none of its own. */
  async function ask(path: string, init: RequestInit): Promise<any> {
    const answer = tab.fetch(server + path, init).then((response) => response.json());
    return { ...(await answer.catch(() => null)) };
  }

  /** Asks who is signed in; `lost` is the reason where nobody is any more. No answer counts after that to a later question. */
  async function look(lost: Reason): Promise<void> {
    const mine = ++asked;
    if (session === undefined && !waits) {
      waits = true;
      tab.setTimeout(() => {
        waits = false;
        if (session === undefined) void look(lost);
      }, patience);
    }
    const { session: next, issuer: at } = await ask("/session", { cache: "no-store" });
    if (mine <= past || (next !== null && !next?.user?.id)) return;
    issuer ??= at;
    hold(next, lost, mine);
  }

  /** Holds what is known since a question: without one, since just now. */
  function hold(next: Session | null, lost: Reason, since = asked): void {
    const reason =
      session === undefined ? "initial"
      : !next ? lost
      : !session ? "signed_in"
      : next.user.id === session.user.id ? "updated"
      : "switched";
    const same = JSON.stringify(next) === JSON.stringify(session);
    session = next;
    past = since;
    open();
    if (same) return;
    tabs?.postMessage(next && next.sid);
    listeners.forEach((fn) => tell(fn, reason));
  }

  /** A subscriber that throws is the app's affair, and of its page's error handler. */
  function tell(fn: (change: Change) => void, reason: Reason): void {
    try {
      fn({ session: session!, reason });
    } catch (error) {
      tab.setTimeout(() => {
        throw error;
      });
    }
  }

  /** Through JSON, which has no undefined. */
  const query = (fields: object) => "?" + new URLSearchParams(JSON.parse(JSON.stringify(fields)));

  async function signIn({ returnTo = "/", ...asked }: SignInOptions = {}): Promise<never> {
    const fields = {
      returnTo,
      prompt: asked.prompt,
      login_hint: asked.loginHint,
      max_age: asked.maxAge,
      acr_values: asked.acrValues,
      ui_locales: asked.uiLocales,
    };
    location.assign(server + "/login" + query(fields));
    return new Promise(() => {});
  }

  async function refuse(): Promise<never> {
    throw new LatchkeyError("insufficient_scope", "The back end has the tokens");
  }

  const wake = () => void (document!.hidden || look("ended"));
  if (document) {
    document.addEventListener("visibilitychange", wake);
    // What another tab says is the sid that it has found, or null.
    if (tabs) tabs.onmessage = ({ data }) => data === (session && session.sid) || look("signed_out");
    void look("ended");
  } else hold(null, "ended");

  return {
    ready,
    get session() {
      return session ?? null;
    },
    signIn,
    signUp: (asked) => signIn({ ...asked, prompt: "create" }),
    async handleCallback() {
      await ready;
      const url = new URL(location.href);
      const refused = url.searchParams.get("latchkey_refused");
      url.searchParams.delete("latchkey_refused");
      const returnTo = url.href.slice(url.origin.length);
      return { returnTo: returnTo[1] === "/" ? "/" : returnTo, refused }; // "//evil.example" would be read as another host
    },
    getAccessToken: async () => null,
    async fetch(input, init) {
      if (new URL((input as Request).url ?? input, location.href).origin !== location.origin) {
        throw new LatchkeyError("origin_not_allowed", "Not of this page's origin");
      }
      const answer = await tab.fetch(input, init);
      if (answer.status === 401) void look("ended");
      return answer;
    },
    subscribe(fn) {
      listeners.add(fn);
      if (session !== undefined) tell(fn, "initial");
      return () => void listeners.delete(fn);
    },
    async signOut({ postLogoutRedirectUri: post_logout_redirect_uri, here } = {}) {
      const path = "/logout" + query({ post_logout_redirect_uri, here: here && 1 });
      const said = await ask(path, { method: "POST", headers: { Accept: "application/json" }, keepalive: true });
      if (said.location === undefined) throw new LatchkeyError("network_error", "The back end has not signed out");
      hold(null, "signed_out");
      if (said.location) location.assign(said.location);
    },
    accountUrl({ returnTo } = {}) {
      return new URL(issuer + "/account" + (returnTo ? query({ return_to: new URL(returnTo, location.href) }) : "")).href;
    },
    sessions: { list: refuse, end: refuse, endOthers: refuse },
    dispose() {
      session ??= null;
      past = Infinity;
      open();
      document?.removeEventListener("visibilitychange", wake);
      tabs?.close();
      tabs = null;
      listeners.clear();
    },
  };
}

/**
 * The sign-in of an app: of one that holds its tokens itself, as createClient of `latchkey-client` makes it, or of one whose back
 * end does (`server`).
 */
export function createClient(options: ClientOptions | ServerClientOptions): Client {
  return "server" in options ? makeBackend(options) : createHolder(options);
}
