// A back end of a test's own: its clocks, browsers with cookies, and an issuer that the test plays. A real one is in rigs/sdk.

import type { LatchkeyServer, ServerOptions } from "../src/server/index.js";
import { makeServer } from "../src/server/server.js";
import { base64url } from "../src/env.js";

export const issuer = "https://id.example";
export const home = "https://shop.example";
export const secrets = ["the first secret of this test, made by nobody", "the second secret of this test, made by nobody"];

const jwt = (said: object) => ["{}", JSON.stringify(said), "no signature"].map((part) => base64url(new TextEncoder().encode(part))).join(".");

/** What one session's tokens say, at a refresh and a time. */
export interface Spec {
  sid?: string;
  sub?: string;
  gen?: number;
  /** Seconds that the access token lives. */
  life?: number;
  nonce?: string | undefined;
  /** How much longer the access token is, in characters. */
  padding?: number;
  /** What else the tokens say, or say otherwise. */
  access?: object;
  refresh?: object;
  id?: object;
}

export class Back {
  /** This machine's clocks: `mono` began at another time. */
  ahead = 0;
  began = Date.now();
  /** By how much this machine's clock was set. */
  set = 0;
  /** How long an answer may take, in real milliseconds. */
  patience = 60_000;
  /** The server's clock less ours, in milliseconds. */
  offset = 0;
  /** By how much the Date of answers, a proxy's, is off. */
  misdated = 0;
  readonly asked: { path: string; form: Record<string, string> }[] = [];
  /** The token endpoint, revocation and keys. */
  serve: (path: string, form: Record<string, string>) => Response | Promise<Response> = () => Promise.reject(new TypeError("away"));
  readonly server: LatchkeyServer;
  /** Another process of the same app. */
  readonly other: LatchkeyServer;

  constructor(options: Partial<ServerOptions> = {}) {
    const all = { issuer, clientId: "shop", clientSecret: "quiet", baseUrl: home, cookieSecrets: secrets, ...options };
    const patience = () => this.patience;
    const make = () =>
      makeServer(all, {
        now: () => this.began + this.ahead + this.set,
        mono: () => 77 + this.ahead,
        get patience() {
          return patience();
        },
        shares: true,
        fetch: (url, init) => this.ask(url, init),
      });
    this.server = make();
    this.other = make();
  }

  get now() {
    return this.began + this.ahead + this.offset;
  }

  private async ask(url: string, init: RequestInit): Promise<Response> {
    const path = url.slice(issuer.length);
    const form = Object.fromEntries(new URLSearchParams(init.body as URLSearchParams));
    this.asked.push({ path, form });
    const answer = await Promise.race([
      this.serve(path, form),
      new Promise<never>((_, reject) => init.signal?.addEventListener("abort", () => reject(init.signal!.reason))),
    ]);
    answer.headers.set("Date", new Date(this.now + this.misdated).toUTCString());
    return answer;
  }

  /** How often a refresh token was sent. */
  refreshes = () => this.asked.filter(({ form }) => form.grant_type === "refresh_token").length;

  tokens({ sid = "s1", sub = "ada", gen = 1, life = 600, nonce, padding = 0, access, refresh, id }: Spec = {}): Record<string, unknown> {
    const iat = Math.floor(this.now / 1000);
    const exp = iat + life;
    return {
      access_token: jwt({ iss: issuer, sub, sid, iat, exp, client_id: "shop", padding: "x".repeat(padding), ...access }),
      refresh_token: jwt({ iss: issuer, sid, gen, iat, exp: iat + 86_400, ...refresh }),
      id_token: jwt({ iss: issuer, aud: "shop", sub, sid, iat, exp, nonce, email: sub + "@example.com", email_verified: true, auth_time: iat, ...id }),
      token_type: "Bearer",
      expires_in: life,
    };
  }

  json = (status: number, body: unknown, headers: Record<string, string> = {}) => new Response(JSON.stringify(body), { status, headers });

  /** Answers each refresh with the next generation, as the server's rules have it for the newest and the one before. */
  rotates(spec: Spec = {}): void {
    this.serve = (_, form) => this.json(200, this.tokens({ ...spec, gen: generation(form.refresh_token!) + 1 }));
  }

  /** Signs somebody in, in this browser, with tokens of this kind. */
  async signIn(browser: Browser, spec: Spec = {}, returnTo = "/"): Promise<Response> {
    const way = await browser.get("/auth/login?" + new URLSearchParams({ returnTo }));
    const asked = new URL(way.headers.get("Location")!).searchParams;
    this.serve = () => this.json(200, this.tokens({ nonce: asked.get("nonce")!, ...spec }));
    return browser.get(`/auth/callback?code=c0de&state=${asked.get("state")}&iss=${issuer}`);
  }
}

export function generation(token: string): number {
  return JSON.parse(atob(token.split(".")[1]!)).gen;
}

/** Keeps cookies, and sends them to one of the app's processes. */
export class Browser {
  readonly cookies = new Map<string, string>();

  constructor(
    private readonly server: LatchkeyServer,
    private readonly origin = home,
  ) {}

  copy(): Browser {
    const copied = new Browser(this.server, this.origin);
    this.cookies.forEach((value, name) => copied.cookies.set(name, value));
    return copied;
  }

  request(path: string, init: RequestInit = {}): Request {
    const headers = new Headers(init.headers);
    if (this.cookies.size) headers.set("Cookie", [...this.cookies].map((pair) => pair.join("=")).join("; "));
    return new Request(this.origin + path, { ...init, headers });
  }

  /** Obeys Set-Cookie. */
  take(headers: Headers): void {
    for (const cookie of headers.getSetCookie()) {
      const [, name, value] = /^([^=]+)=([^;]*)/.exec(cookie)!;
      if (/Max-Age=0;/.test(cookie)) this.cookies.delete(name!);
      else this.cookies.set(name!, value!);
    }
  }

  async send(path: string, init: RequestInit = {}): Promise<Response> {
    const answer = await this.server.handle(this.request(path, init));
    if (!answer) throw new Error("null for " + path);
    this.take(answer.headers);
    return answer;
  }

  get = (path: string) => this.send(path);

  post(path: string, form: Record<string, string> = {}, headers: Record<string, string> = { Origin: this.origin }): Promise<Response> {
    return this.send(path, { method: "POST", body: new URLSearchParams(form), headers });
  }
}
