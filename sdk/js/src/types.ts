// Every exported type of the core; no code.

import type { LatchkeyError } from "./error.js";

/** What createClient is told of the server and of the app. */
export interface ClientOptions {
  /** The server's public address, as in `iss` of its tokens: "https://id.example". */
  issuer: string;
  /** The app's alias in the server's clients file. */
  clientId: string;
  /** Where the server sends people back to, registered for the client. Without it `location.origin + "/callback"`. */
  redirectUri?: string;
  /** What is asked for, divided by spaces. Without it "openid email profile". */
  scope?: string;
  /** The API that access tokens are for (RFC 8707), one of the client's `audiences`. */
  resource?: string;
  /** Origins beside the page's own that the access token may be sent to. */
  apis?: readonly string[];
  /** Where the session is kept. Without it "local". */
  storage?: "local" | "session" | "memory" | StorageAdapter;
  /** Whether tabs tell each other by BroadcastChannel. Without it they do. */
  channel?: boolean;
}

/** A place of the app's own to keep the session in. Each method may answer a promise. */
export interface StorageAdapter {
  getItem(key: string): string | null | Promise<string | null>;
  setItem(key: string, value: string): void | Promise<void>;
  removeItem(key: string): void | Promise<void>;
}

/** Who is signed in, as far as the scope lets the app know: what it does not is null, or false. */
export interface User {
  /** `sub`: the same for this person for ever. */
  id: string;
  email: string | null;
  emailVerified: boolean;
  name: string | null;
  givenName: string | null;
  familyName: string | null;
  locale: string | null;
}

/** A person's sign-in at this app. */
export interface Session {
  user: User;
  /** The session's id at the server. */
  sid: string;
  /** When the person proved who they are, in seconds since 1970 (`auth_time`). */
  authTime: number | null;
  /** How sure that is (OpenID Connect Core 1.0, section 2). */
  acr: string | null;
  /** How it was done (RFC 8176). */
  amr: readonly string[];
}

/**
 * Why subscribers are called: `initial` is the first call after `ready`; `updated` the same person, with another session
 * or other claims; `switched` another person in this browser; `signed_out` the person's own wish, here or elsewhere;
 * `ended` the server's.
 */
export type Reason = "initial" | "signed_in" | "updated" | "switched" | "signed_out" | "ended";

/** What subscribers are told. */
export interface Change {
  session: Session | null;
  reason: Reason;
  /** Of `ended`: how the server refused. */
  error?: LatchkeyError;
}

/** What a sign-in asks for (OpenID Connect Core 1.0, section 3.1.2.1). */
export interface SignInOptions {
  /** A path of this origin that handleCallback gives back; all else becomes "/", also a path with "//" or a backslash. */
  returnTo?: string;
  /** "none", "login", "consent" or "select_account". */
  prompt?: string;
  /** The email address to fill in. */
  loginHint?: string;
  /** How old the person's proof may be, in seconds. */
  maxAge?: number;
  /** How sure it has to be. */
  acrValues?: string;
  /** Languages of the server's pages, the best first, divided by spaces. */
  uiLocales?: string;
}

/** How a sign-out goes. */
export interface SignOutOptions {
  /**
   * Where the page ends. Without it `location.origin + "/"`. The server sends it there, so it has to be registered for the
   * client; after a sign-in by `./password` the page goes there by itself.
   */
  postLogoutRedirectUri?: string;
  /** True signs out of this app alone, and stays on the page; it is fulfilled when the server knows, or cannot be asked. */
  here?: boolean;
}

/** What became of a sign-in. */
export interface CallbackResult {
  /** The path of this origin that signIn was given. */
  returnTo: string;
  /**
   * Null when somebody is signed in; else why the server asked nobody: `login_required`, `interaction_required` or
   * `consent_required`, the answers to `prompt: "none"`. The session is then as it was.
   */
  refused: string | null;
}

/** A session as the server lists it. Times are in ISO 8601. */
export interface ActiveSession {
  id: string;
  /** Whether it is the one that asks. */
  current: boolean;
  clientAlias: string;
  /** How the person signed in. */
  via: string;
  createdAt: string;
  lastUsedAt: string;
  expiresAt: string;
  client: { browser: string; browserVersion: string; os: string; deviceType: string; ip: string };
}

/** What createClient makes. */
export interface Client {
  /** Fulfilled when storage and other tabs have been asked. Never rejects. */
  readonly ready: Promise<void>;
  /** Who is signed in, or null: before `ready` always null. */
  readonly session: Session | null;
  /** Goes to the server's sign-in page. The promise stays pending where the page is left, and rejects where it cannot be. */
  signIn(options?: SignInOptions): Promise<void>;
  /** The same, to the page that makes an account. */
  signUp(options?: SignInOptions): Promise<void>;
  /**
   * Ends a sign-in on the page at `redirectUri`: checks the answer and gets the tokens. May be called any number of times
   * for one answer, also after a reload. Rejects with the server's error, `state_unknown`, `issuer_mismatch`,
   * `invalid_id_token`, `network_error` or `timeout`.
   */
  handleCallback(): Promise<CallbackResult>;
  /**
   * An access token that lives `minValidity` seconds more (without it 30; at most a third of its life), refreshed where
   * needed; null when nobody is signed in. Without an answer of the server it is the held token while that lives.
   * Rejects with `session_changed` where another person has signed in meanwhile.
   */
  getAccessToken(options?: { minValidity?: number }): Promise<string | null>;
  /**
   * `fetch` with the access token of whoever is signed in, where somebody is; a caller's own Authorization is a
   * TypeError. Only to this origin and to those of `apis`: any other rejects with `origin_not_allowed`. A 401 to a token
   * that is older than 30 seconds, or no longer the current one, is answered with the current one, once: not where it
   * says `insufficient_scope` or `insufficient_user_authentication`, nor where the body is a stream. Where another person
   * has signed in meanwhile it then rejects with `session_changed`.
   */
  fetch(input: RequestInfo | URL, init?: RequestInit): Promise<Response>;
  /** Calls `fn` at once (before `ready` as soon as that is fulfilled) and at each change. Returns what ends that. */
  subscribe(fn: (change: Change) => void): () => void;
  /** Signs out: in this browser at once, and at the server, where the page goes. */
  signOut(options?: SignOutOptions): Promise<void>;
  /** The address of the server's account page, with a way back to `returnTo`, an absolute one where there is no document. */
  accountUrl(options?: { returnTo?: string }): string;
  /**
   * The person's own sessions, of this app and all others. Needs the scope `account`, no `resource`, and the app's origin
   * in the client's `url`; rejects with `insufficient_scope` without the first.
   */
  readonly sessions: {
    list(): Promise<ActiveSession[]>;
    end(id: string): Promise<void>;
    /** Ends all but this one. */
    endOthers(): Promise<void>;
  };
  /** Ends timers, listeners and channel. What waits rejects with `session_changed`, and the client is of no more use. */
  dispose(): void;
}
