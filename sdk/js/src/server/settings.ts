// The options of createServer: checked, and made into settings.

import type { SessionStore } from "./store.js";

/** What createServer is told of the server and of the app. */
export interface ServerOptions {
  /** The server's public address, as in `iss` of its tokens: "https://id.example". */
  issuer: string;
  /** The app's alias in the server's clients file. */
  clientId: string;
  /** One of the client's `secrets`. */
  clientSecret: string;
  /** The app's own origin, as browsers see it: "https://shop.example". By http on loopback alone. */
  baseUrl: string;
  /** The path that `handle` answers under. Without it "/auth"; its `/callback` is the redirect URI to register. */
  basePath?: string;
  /** What cookies are sealed with, each at least 32 characters by chance. The first seals, any opens. */
  cookieSecrets: readonly string[];
  /** Where sessions are stored. Without it they are sealed in the browser's cookie. */
  store?: SessionStore;
  /** What is asked for, divided by spaces. Without it "openid email profile". */
  scope?: string;
  /** The API that access tokens are for (RFC 8707), one of the client's `audiences`. */
  resource?: string;
  /** Where the server sends people after they have signed out, registered for the client. Without it `baseUrl + "/"`. */
  postLogoutRedirectUri?: string;
}

/** The options, checked, with what follows from them. */
export interface Settings {
  issuer: string;
  clientId: string;
  clientSecret: string;
  /** An origin. */
  baseUrl: string;
  basePath: string;
  redirectUri: string;
  cookieSecrets: readonly string[];
  store: SessionStore | null;
  scope: string;
  resource: string | null;
  postLogoutRedirectUri: string;
  /** The session's cookie. */
  cookie: string;
  /** The cookie of sign-ins under way. */
  loginCookie: string;
  /** Whether browsers are to send the cookies by https alone. */
  secure: boolean;
}

/** Throws a TypeError that names the option and the fix. */
export function settingsOf(options: ServerOptions): Settings {
  const { clientId, clientSecret, basePath = "/auth", cookieSecrets, store = null, scope = "openid email profile", resource = null } = options;
  const issuer = address("issuer", options.issuer);
  if (options.issuer !== issuer.href.replace(/\/$/, "") || issuer.search || issuer.hash) {
    throw wrong("issuer", 'write it as the server\'s tokens do, such as "https://id.example", without a slash at the end');
  }
  const base = address("baseUrl", options.baseUrl);
  if (base.href !== base.origin + "/") throw wrong("baseUrl", "write an origin alone; a path goes into basePath");
  const { postLogoutRedirectUri = base.origin + "/" } = options;
  if (typeof clientId !== "string" || !/^[\w.~-]+$/.test(clientId)) throw wrong("clientId", "write the client's alias");
  if (typeof clientSecret !== "string" || !clientSecret) throw wrong("clientSecret", "write one of the client's secrets");
  if (typeof basePath !== "string" || !/^(\/[\w.~-]+)+$/.test(basePath)) throw wrong("basePath", 'write a path such as "/auth"');
  if (!Array.isArray(cookieSecrets) || !cookieSecrets.length || cookieSecrets.some((secret) => typeof secret !== "string" || secret.length < 32)) {
    throw wrong("cookieSecrets", "write a list of texts of at least 32 characters, made by chance");
  }
  for (const [option, value] of Object.entries({ scope, resource: resource ?? "", postLogoutRedirectUri })) {
    if (typeof value !== "string") throw wrong(option, "write a text");
  }
  if (store && ["get", "set", "delete", "deleteBySid"].some((method) => typeof store[method as keyof SessionStore] !== "function")) {
    throw wrong("store", "give it the methods get, set, delete and deleteBySid");
  }
  const secure = base.protocol === "https:";
  const cookie = `${secure ? "__Host-" : ""}latchkey-${clientId}`;
  return {
    issuer: options.issuer,
    clientId,
    clientSecret,
    baseUrl: base.origin,
    basePath,
    redirectUri: base.origin + basePath + "/callback",
    cookieSecrets: [...cookieSecrets],
    store,
    scope,
    resource,
    postLogoutRedirectUri,
    cookie,
    loginCookie: cookie + "-login",
    secure,
  };
}

/** An address by https, or by http on loopback: what goes there is secret. */
function address(option: string, value: unknown): URL {
  const url = typeof value === "string" && URL.canParse(value) ? new URL(value) : null;
  const loopback = /^(localhost|.+\.localhost|127(\.\d+){3}|\[::1\])$/;
  if (url && !url.username && !url.password && (url.protocol === "https:" || (url.protocol === "http:" && loopback.test(url.hostname)))) return url;
  throw wrong(option, 'write an address such as "https://shop.example"; http is for loopback alone');
}

function wrong(option: string, fix: string): TypeError {
  return new TypeError(`createServer: ${option}: ${fix}`);
}
