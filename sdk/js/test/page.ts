// A page in a browser of a test's own: a window with what pages share, an address bar, and a server that the test plays.

import { makeClient } from "../src/client.js";
import type { Env, Shelf } from "../src/env.js";
import type { ClientOptions } from "../src/types.js";

export const issuer = "https://id.example";
export const origin = "https://shop.example";
/** What everything that is kept is called, or begins with. */
export const key = `latchkey:${issuer}:shop`;

/** localStorage, whose items are its own properties, as a window's are. */
export class Storage implements Shelf {
  [name: string]: any;
  /** How many characters it takes. */
  #room = Infinity;

  get length() {
    return Object.keys(this).length;
  }
  key(i: number) {
    return Object.keys(this)[i] ?? null;
  }
  getItem(key: string) {
    return Object.hasOwn(this, key) ? (this[key] as string) : null;
  }
  removeItem(key: string) {
    delete this[key];
  }
  setItem(key: string, value: string) {
    const others = Object.keys(this).filter((name) => name !== key);
    const size = [...others, key, value, ...others.map((name) => this[name])].join("").length;
    if (size > this.#room) throw new DOMException("full", "QuotaExceededError");
    this[key] = value;
  }
  clear() {
    for (const key of Object.keys(this)) delete this[key];
  }
  /** From now on there is room for so many characters beside what is there. */
  spare(room: number) {
    this.#room = room + Object.entries(this).join("").length;
  }
}

/** A request as it arrives. */
export interface Asked {
  url: string;
  /** Without the issuer, where it is asked. */
  path: string;
  method: string;
  headers: Headers;
  body: string;
  /** The body as a form. */
  form: Record<string, string>;
  keepalive: boolean;
  credentials: RequestCredentials;
  redirect: RequestRedirect;
  /** What the address bar showed. */
  shown: string;
}

/** What the pages of one browser share. */
export class Browser {
  now = Date.parse("2026-07-01T12:00:00Z");
  readonly local = new Storage();
  readonly session = new Storage();
  /** Whether its owner lets pages keep anything. */
  allows = true;
  /** Whether pages come by https. */
  secure = true;
  readonly asked: Asked[] = [];
  serve: (asked: Asked) => Response | Promise<Response> = () => Promise.reject(new TypeError("offline"));
  readonly pages: Page[] = [];
  /** Alarms of half a second and more, which `pass` lets go off; shorter ones do so at once. */
  readonly alarms = new Map<object, { at: number; run: () => void }>();

  open(url: string, options: Partial<ClientOptions> = {}, state: unknown = null) {
    return new Page(this, url, options, state);
  }
  /** Time passes, and what was set for it happens. */
  async pass(ms: number): Promise<void> {
    const end = this.now + ms;
    for (;;) {
      await settled();
      const [next] = [...this.alarms].filter(([, { at }]) => at <= end).sort(([, a], [, b]) => a.at - b.at);
      if (!next) break;
      this.alarms.delete(next[0]);
      this.now = Math.max(this.now, next[1].at);
      next[1].run();
    }
    this.now = end;
  }
}

export class Page {
  /** Where the page was sent, one address after another. */
  readonly gone: string[] = [];
  /** Of these, those that leave no way back to it. */
  readonly replaced: string[] = [];
  /** What `<base>` says; none where that is empty. */
  base = "";
  readonly channels = new Set<{ name: string; onmessage: ((event: any) => void) | null }>();
  readonly heard: { name: string; hear: (event: any) => void }[] = [];
  readonly client;

  constructor(
    readonly browser: Browser,
    public url: string,
    readonly options: Partial<ClientOptions>,
    public state: any,
  ) {
    browser.pages.push(this);
    this.client = makeClient({ issuer, clientId: "shop", ...options }, this.env());
  }

  /** The same address in a page of its own, as after a reload, or back. */
  reload() {
    return new Page(this.browser, this.url, this.options, this.state);
  }
  /** Where a call goes to, which has just begun. */
  async leaves(begun: Promise<unknown>): Promise<URL> {
    const before = this.gone.length;
    let over = false;
    await Promise.race([begun.finally(() => (over = true)), until(() => over || this.gone.length > before)]);
    if (over) throw new Error("the page was not left");
    return new URL(this.gone.at(-1)!);
  }
  /** An event of the window or of its document. */
  tell(name: string, event: object = {}) {
    for (const one of [...this.heard]) if (one.name === name) one.hear(event);
  }

  private env(): Env {
    const page = this;
    const { browser, channels, heard } = page;
    const stored = (shelf: Storage) => {
      if (!browser.allows) throw new DOMException("denied", "SecurityError");
      return shelf;
    };
    return {
      Date: { now: () => browser.now },
      crypto: browser.secure ? crypto : { getRandomValues: (bytes) => crypto.getRandomValues(bytes) },
      setTimeout(run, ms) {
        const alarm = {};
        browser.alarms.set(alarm, { at: browser.now + ms, run });
        if (ms < 500) setTimeout(() => browser.alarms.delete(alarm) && run(), 1);
        return alarm;
      },
      clearTimeout: (alarm) => void browser.alarms.delete(alarm),
      async fetch(input, init) {
        const request = new Request(input, { ...init, duplex: "half" } as RequestInit); // which browsers ask for as well
        const { url, method, headers, keepalive, credentials, redirect, signal } = request;
        const body = await request.text();
        const form = Object.fromEntries(new URLSearchParams(body));
        const path = url.startsWith(issuer) ? url.slice(issuer.length) : url;
        const asked = { url, path, method, headers, body, form, keepalive, credentials, redirect, shown: page.url };
        browser.asked.push(asked);
        const aborted = new Promise<never>((_, reject) => signal.addEventListener("abort", () => reject(signal.reason)));
        return Promise.race([browser.serve(asked), aborted]);
      },
      BroadcastChannel: class {
        onmessage: ((event: any) => void) | null = null;
        constructor(readonly name: string) {
          channels.add(this);
        }
        postMessage(data: unknown) {
          for (const other of browser.pages.flatMap((one) => [...one.channels]))
            if (other !== this && other.name === this.name) queueMicrotask(() => other.onmessage?.({ data }));
        }
        close() {
          channels.delete(this);
        }
      },
      get localStorage() {
        return stored(browser.local);
      },
      get sessionStorage() {
        return stored(browser.session);
      },
      document: {
        get baseURI() {
          return new URL(page.base, page.url).href;
        },
      },
      location: {
        origin,
        get href() {
          return page.url;
        },
        assign: (url) => void page.gone.push(url),
        replace: (url) => void (page.gone.push(url), page.replaced.push(url)),
      },
      history: {
        get state() {
          return page.state;
        },
        replaceState(state, _, url) {
          page.state = structuredClone(state);
          page.url = url.href;
        },
      },
      addEventListener(name, hear, { signal }) {
        const one = { name, hear };
        heard.push(one);
        signal?.addEventListener("abort", () => heard.splice(heard.indexOf(one), 1));
      },
    };
  }
}

/** When all that waits for nothing but its turn has happened. */
export async function settled(): Promise<void> {
  for (let i = 0; i < 20; i++) await new Promise((resolve) => setImmediate(resolve));
}

/** Waits until it is so; not for ever. */
export async function until(met: () => boolean): Promise<void> {
  for (const end = Date.now() + 20_000; !met(); ) {
    if (Date.now() > end) throw new Error("never became true: " + met);
    await new Promise((resolve) => setImmediate(resolve));
  }
}

/** A token that says this, signed by nobody. */
export const jwt = (said: object) => `e30.${Buffer.from(JSON.stringify(said)).toString("base64url")}.c2ln`;

const seconds = (now: number) => Math.floor(now / 1000);

export interface Given {
  user?: string;
  sid?: string;
  generation?: number;
  nonce?: string | null | undefined;
  /** Goes over what the ID token would say; null: there is none. */
  id?: object | null;
  /** Goes over what the access token would say. */
  access?: object;
}

/** An answer of the token endpoint. */
export function tokens(now: number, { user = "u1", sid = "s1", generation = 1, nonce, id = {}, access = {} }: Given = {}): Response {
  const iat = seconds(now);
  const who = { iss: issuer, sub: user, sid, iat, exp: iat + 600 };
  const person = { email: "ada@example.com", email_verified: true, name: "Ada", auth_time: iat - 5, acr: "aal1", amr: ["pwd"] };
  return Response.json({
    access_token: jwt({ ...who, aud: "https://api.example", client_id: "shop", ...access }),
    refresh_token: jwt({ iss: issuer, sid, gen: generation }),
    token_type: "Bearer",
    ...(id && { id_token: jwt({ ...who, aud: "shop", nonce, ...person, ...id }) }),
  });
}

/** A browser in which somebody is signed in, and a page of the app. */
export async function signedIn(options: Partial<ClientOptions> = {}, given: Given = {}) {
  const browser = new Browser();
  const page = await signIn(browser, options, given);
  browser.asked.length = 0;
  return { browser, page, token: (await page.client.getAccessToken())! };
}

/** Signs somebody in, in a page of its own. */
export async function signIn(browser: Browser, options: Partial<ClientOptions> = {}, given: Given = {}) {
  const page = browser.open(origin + "/", options);
  const { searchParams: sent } = await page.leaves(page.client.signIn());
  const { serve } = browser;
  browser.serve = () => tokens(browser.now, { nonce: sent.get("nonce"), ...given });
  const back = browser.open(`${origin}/callback?${new URLSearchParams({ code: "c", iss: issuer, state: sent.get("state")! })}`, options);
  await back.client.handleCallback();
  browser.serve = serve;
  return back;
}
