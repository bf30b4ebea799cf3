// An issuer of a test's own, over HTTP: keys, tokens, and a feed that waits as the server's does. And a clock to move.

import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { exportJWK, generateKeyPair, SignJWT, type CryptoKey, type JWK } from "jose";
import { createVerifier, VerifyError, type Verifier, type VerifierOptions } from "../src/verify/index.js";

export const audience = "https://api.example";
export const client = { clientId: "verifier", clientSecret: "a secret: + and %" };

const clock = Date.now;
let moved = 0;
let held: number | null = null;
Date.now = () => (held ?? clock()) + moved;

/** Moves every verifier's clock, and the issuers', by so many seconds. */
export const move = (seconds: number) => void (moved += Math.round(seconds * 1000));
/** Stops it: at a time in seconds, else now. */
export const hold = (at = clock() / 1000) => void (held = Math.round(at * 1000));
/** Has it go again, and right. */
export const release = () => void ([held, moved] = [null, 0]);
export const seconds = () => Math.floor(Date.now() / 1000);

interface SigningKey {
  kid: string;
  alg: string;
  key: CryptoKey;
  jwk: JWK;
}

export async function signingKey(kid: string, alg = "ES256"): Promise<SigningKey> {
  const { publicKey, privateKey } = await generateKeyPair(alg, { extractable: true });
  return { kid, alg, key: privateKey, jwk: { ...(await exportJWK(publicKey)), kid, alg, use: "sig" } };
}

export class Issuer {
  url = "";
  /** The first one signs. */
  keys: SigningKey[] = [];
  /** What is answered instead of the keys. */
  set: (() => string | Response) | null = null;
  /** What a request for keys waits for. */
  hold: Promise<unknown> = Promise.resolve();
  /** How often the keys and the feed were asked for. */
  asked = 0;
  polled = 0;
  /** How many polls wait. */
  waiting = 0;
  /** Connections are lost. */
  away = false;
  ended: string[] = [];
  /** What the feed says besides, or instead. */
  told: Record<string, unknown> = {};
  /** What is answered instead of what the feed says. */
  instead: { status: number; text: string } | null = null;
  private readonly server = createServer((request, answer) => void this.answer(request, answer));

  async start(): Promise<this> {
    this.keys = [await signingKey("k1")];
    await new Promise<void>((resolve) => this.server.listen(0, "127.0.0.1", resolve));
    this.url = `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`;
    return this;
  }

  stop(): void {
    this.server.close();
    this.server.closeAllConnections();
  }

  /** Loses the connections that there are, and all that come. */
  leave(): void {
    this.away = true;
    this.server.closeAllConnections();
  }

  /** A new token; `said` goes over what it says, and undefined takes a claim away. */
  token(said: Record<string, unknown> = {}, head: Record<string, unknown> = {}): Promise<string> {
    const now = seconds();
    return this.sign("at+jwt", {
      ...{ iss: this.url, aud: audience, sub: "u1", client_id: "shop", jti: "1", sid: "s1", scope: "openid email" },
      ...{ iat: now, nbf: now, exp: now + 600, auth_time: now, acr: "aal1", amr: ["pwd"], email: "ada@example.com", email_verified: true },
      ...said,
    }, head);
  }

  sign(typ: string, said: Record<string, unknown>, head: Record<string, unknown> = {}): Promise<string> {
    const { alg, kid, key } = this.keys[0]!;
    return new SignJWT(said).setProtectedHeader({ alg, kid, typ, ...head }).sign(key);
  }

  private async answer(request: IncomingMessage, answer: ServerResponse): Promise<void> {
    const url = new URL(request.url!, this.url);
    if (url.pathname === "/waiting") return until("a poll waits", () => this.waiting > 0).then(() => void answer.end());
    const isFeed = url.pathname === "/oauth/revocations";
    this.asked += Number(!isFeed);
    this.polled += Number(isFeed);
    if (this.away) return void request.socket.destroy();
    if (isFeed) return this.answerPoll(request, answer, url.searchParams.get("after"));
    await this.hold;
    const said = this.set?.() ?? JSON.stringify({ keys: this.keys.map((key) => key.jwk) });
    if (typeof said === "string") return void answer.setHeader("Cache-Control", "public, max-age=300").end(said);
    answer.writeHead(said.status, Object.fromEntries(said.headers)).end(await said.text());
  }

  /** Answers when there is something to tell beside what the cursor stands for. */
  private async answerPoll(request: IncomingMessage, answer: ServerResponse, after: string | null): Promise<void> {
    const [id, secret] = atob(request.headers.authorization!.slice("Basic ".length)).split(":").map(decodeURIComponent);
    if (id !== client.clientId || secret !== client.clientSecret) return void answer.writeHead(401).end();
    const now = () => JSON.stringify([this.ended.length, this.told]);
    this.waiting++;
    while (!this.instead && after === now() && !request.socket.destroyed) await new Promise((resolve) => setTimeout(resolve, 5));
    this.waiting--;
    if (this.instead) return void answer.writeHead(this.instead.status).end(this.instead.text);
    const iat = seconds();
    const said = { iss: this.url, aud: client.clientId, iat, exp: iat + 60, cursor: now(), sids: this.ended, ...this.told };
    answer.end(await this.sign("revocations+jwt", said));
  }
}

/** Runs a test with an issuer and verifiers that end with it. */
export async function withIssuer(run: (issuer: Issuer, verifier: (options?: Partial<VerifierOptions>) => Verifier) => Promise<void>): Promise<void> {
  const issuer = await new Issuer().start();
  const made: Verifier[] = [];
  try {
    await run(issuer, (options) => {
      made.push(createVerifier({ issuer: issuer.url, audience, ...options }));
      return made.at(-1)!;
    });
  } finally {
    for (const verifier of made) verifier.close();
    issuer.stop();
    release();
  }
}

/** What a verifier says of a token: its code, and "good" for a good one. */
export async function code(verifier: Verifier, token: string): Promise<string> {
  const error = await refusal(verifier.verify(token));
  return error ? error.code : "good";
}

/** How a check is refused; null when it is not. */
export async function refusal(check: Promise<unknown>): Promise<VerifyError | null> {
  try {
    await check;
    return null;
  } catch (error) {
    if (!(error instanceof VerifyError)) throw error;
    return error;
  }
}

/** Waits until something holds, for half a minute at most. */
export async function until(what: string, holds: () => boolean | Promise<boolean>): Promise<void> {
  for (const end = clock() + 30_000; !(await holds()); await new Promise((resolve) => setTimeout(resolve, 5))) {
    if (clock() > end) throw new Error(`not within half a minute: ${what}`);
  }
}
