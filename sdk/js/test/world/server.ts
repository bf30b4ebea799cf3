// The server of the simulated world: the rules of internal/rotation, and tokens that nobody signs.

import { recordOf, type Stored } from "../../src/stored.js";
import { issuer, jwt, options } from "./records.js";
import type { Dice, Time } from "./time.js";

const grace = 30_000;
const recoveries = 3;
const day = 86_400_000;

/** A session's row: times in milliseconds, as internal/store's. */
export interface Row {
  generation: number;
  rotatedAt: number;
  burstFrom: number;
  burstAt: number;
  prevFrom: number;
  prevAt: number;
  lateNow: boolean;
  lateRun: number;
  idleExpiresAt: number;
  overallExpiresAt: number;
  endedAt: number | null;
}

export type Verdict = "rotated" | "repeated" | "late" | "superseded" | "ahead" | "reuse" | "ended" | "expired";

export function first(now: number): Row {
  return {
    generation: 1,
    rotatedAt: now,
    burstFrom: 1,
    burstAt: 0,
    prevFrom: 1,
    prevAt: 0,
    lateNow: false,
    lateRun: 0,
    idleExpiresAt: now + 14 * day,
    overallExpiresAt: now + 30 * day,
    endedAt: null,
  };
}

/** Judge of internal/rotation: rules 1 to 7 in their order. */
export function judge(row: Row, presented: number, now: number): Verdict {
  const since = (then: number) => Math.max(0, now - then);
  if (row.endedAt !== null) return "ended";
  if (now >= row.idleExpiresAt || now >= row.overallExpiresAt) return "expired";
  if (presented === row.generation) return "rotated";
  if (presented > row.generation) return "ahead";
  if (presented === row.generation - 1) {
    if (since(row.rotatedAt) <= grace || row.lateNow) return "repeated";
    return row.lateRun + 1 >= recoveries ? "reuse" : "late";
  }
  if (row.burstFrom <= presented && since(row.burstAt) <= grace) return "superseded";
  if (row.prevFrom <= presented && presented < row.burstFrom && since(row.prevAt) <= 2 * grace) return "superseded";
  return "reuse";
}

/** What the verdict writes into the row. */
export function present(row: Row, presented: number, now: number): Verdict {
  const verdict = judge(row, presented, now);
  if (verdict === "rotated" || verdict === "ahead") {
    if (now - row.burstAt > grace) {
      row.prevFrom = row.burstFrom;
      row.prevAt = row.burstAt;
      row.burstFrom = presented;
      row.burstAt = now;
    }
    if (!row.lateNow) row.lateRun = 0;
    row.lateNow = false;
    row.generation = presented + 1;
    row.rotatedAt = now;
    row.idleExpiresAt = now + 14 * day;
  } else if (verdict === "late") {
    row.lateNow = true;
    row.lateRun++;
  } else if (verdict === "reuse") row.endedAt = now;
  return verdict;
}

/** What a server answers. */
export interface Reply {
  status: number;
  headers: Record<string, string>;
  text: string;
}

export class Server {
  readonly rows = new Map<string, Row & { user: string; authTime: number }>();
  readonly verdicts: Record<string, number> = {};
  signIns = 0;
  private count = 0;

  constructor(
    private time: Time,
    private dice: Dice,
    /** Seconds. */
    readonly life: number,
    readonly kind: Stored["kind"] = "oauth",
  ) {}

  /** A sign-in of somebody: what the app is given. */
  signIn(user: string, now: number): Stored {
    const sid = `${user}-${++this.signIns}`;
    this.rows.set(sid, { ...first(this.time.now), user, authTime: Math.floor(this.time.now / 1000) });
    return recordOf(this.kind, this.tokens(sid, 1), options, NaN, now)!;
  }

  end(sid: string): void {
    const row = this.rows.get(sid);
    if (row && row.endedAt === null) row.endedAt = this.time.now;
  }

  tokens(sid: string, generation: number): Record<string, unknown> {
    const row = this.rows.get(sid)!;
    const iat = Math.floor(this.time.now / 1000);
    const about = { iss: issuer, sub: row.user, sid, iat, exp: iat + this.life, auth_time: row.authTime };
    return {
      access_token: jwt({ ...about, jti: ++this.count, client_id: "shop" }),
      refresh_token: jwt({ iss: issuer, sid, gen: generation, iat: Math.floor(row.rotatedAt / 1000) }),
      ...(this.kind === "oauth" && { id_token: jwt({ ...about, aud: "shop", email: row.user + "@example.com" }) }),
    };
  }

  /** Answers a refresh, at either endpoint. */
  refresh(refreshToken: string): Reply {
    const said = JSON.parse(Buffer.from(refreshToken.split(".")[1]!, "base64url").toString());
    const row = this.rows.get(said.sid);
    const genuine = row && refreshToken.endsWith(".x");
    const verdict = genuine ? present(row, said.gen, this.time.now) : "unknown";
    this.verdicts[verdict] = (this.verdicts[verdict] ?? 0) + 1;
    const headers = { Date: new Date(this.time.now).toUTCString() };
    const oauth = this.kind === "oauth";
    const json = (status: number, body: unknown) => ({ status, headers, text: JSON.stringify(body) });
    switch (verdict) {
      case "rotated":
      case "repeated":
      case "late":
      case "ahead": {
        const body = this.tokens(said.sid, row!.generation);
        return json(200, oauth ? body : { data: body });
      }
      case "superseded":
        return oauth
          ? { status: 503, headers: { ...headers, "X-Latchkey-Code": "refresh_superseded" }, text: "Another request.\n" }
          : json(409, { code: "refresh_superseded", message: "Another request." });
    }
    return oauth ? json(400, { error: "invalid_grant" }) : json(401, { code: "invalid_refresh_token" });
  }

  /** What a server or a proxy answers on a bad day. */
  trouble(): Reply {
    return this.dice.one<Reply>([
      { status: 503, headers: {}, text: "<html>Service Unavailable</html>" },
      { status: 502, headers: {}, text: "Bad Gateway" },
      { status: 500, headers: {}, text: JSON.stringify({ error: "server_error" }) },
      { status: 429, headers: { "Retry-After": "20" }, text: JSON.stringify({ error: "temporarily_unavailable" }) },
      { status: 401, headers: {}, text: JSON.stringify({ error: "invalid_client" }) },
      { status: 200, headers: {}, text: "<html>Sign in to this network</html>" },
      { status: 400, headers: {}, text: "<html>invalid_grant</html>" },
    ]);
  }
}
