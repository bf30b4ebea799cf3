// Refreshing: once for all who ask together, and never with a token that another has taken the place of.

import { LatchkeyError } from "../error.js";
import { errorAt, errorOf, type Answer, type Issuer, type World } from "./ask.js";
import { generation, madeOf, type Kept, type Made } from "./kept.js";
import type { Found, Place } from "./places.js";
import { Recent } from "./recent.js";
import type { Settings } from "./settings.js";

/** How long after a refresh an answer may still change the browser's cookie, in milliseconds. */
export const fresh = 20_000;
/** How long a superseded token still shows whose session it is, in milliseconds: slow requests bring one. */
const trusted = 300_000;
/** How long nothing is asked after an answer that says nothing of the session, in milliseconds. */
const pause = { least: 3000, most: 60_000 };
/** The server's word for a token that is not to be sent again. */
const superseded = "refresh_superseded";

/** What came of a refresh, at a moment of the clock that nobody sets. */
export interface Outcome {
  at: number;
  /** What is kept now; null where the session has ended. */
  found: Found | null;
  /** For how many seconds the browser is to keep the cookie: 0 takes it back, null leaves it as it is. */
  lasts: number | null;
  /** Why there are no new tokens. */
  error: LatchkeyError | null;
  /** For how many milliseconds this is the answer. */
  stands: number;
  /** New tokens that the store does not have yet. */
  unsaved: Made | null;
}

export interface Refresher {
  /** Never rejects. */
  refresh(found: Found): Promise<Outcome>;
  /** Whether the token is not to be sent: the browser has been given one that came later. */
  superseded(kept: Kept): boolean;
}

export function makeRefresher(settings: Settings, world: World, issuer: Issuer, place: Place): Refresher {
  const outcomes = new Recent<Outcome | Promise<Outcome>>(world.mono);
  /** The moments from which on tokens are not sent any more. */
  const dead = new Recent<number>(world.mono);

  async function refresh(found: Found): Promise<Outcome> {
    const token = name(found.kept);
    const known = outcomes.get(token);
    if (known) return save(found, await known);
    const asking = ask(found, token).then((outcome) => {
      outcomes.set(token, outcome, outcome.stands);
      return outcome;
    });
    if (world.shares) outcomes.set(token, asking, fresh); // nothing was awaited since it was looked for
    return asking;
  }

  async function ask(found: Found, token: string): Promise<Outcome> {
    const outcome: Outcome = { at: world.mono(), found, lasts: null, error: null, stands: fresh, unsaved: null };
    const since = dead.get(token);
    if (since !== undefined) {
      if (outcome.at - since >= trusted) outcome.found = null;
      outcome.error = new LatchkeyError(superseded, "A newer refresh token has taken the place of this one", { status: 503 });
      return readAgain(found, outcome);
    }
    let answer: Answer;
    try {
      answer = await issuer.post("/oauth/token", { grant_type: "refresh_token", refresh_token: found.kept.refreshToken! });
    } catch (error) {
      return { ...outcome, error: error as LatchkeyError, stands: pause.least };
    }
    outcome.at = world.mono();
    if (answer.status === 200 && answer.body) {
      outcome.unsaved = madeOf(answer.body, settings, { before: found.kept }, issuer.offset(), world.now());
      if (!outcome.unsaved) {
        return { ...outcome, error: errorAt(answer, "invalid_id_token", "The tokens are not of this session"), stands: pause.least };
      }
      // Who brings the token before is late: the browser was given this one since.
      dead.set(name(found.kept, -1), outcome.at, trusted);
      // Who brings this one while its successor cannot have one yet is given that again: the server would do the same, but
      // it counts how often (docs/adr/0003-refresh-tokens.md, rule 4), and answers that took too long have set no cookie.
      outcome.stands = outcome.unsaved.kept.dueAt - issuer.time(0);
      return save(found, outcome);
    }
    outcome.error = errorOf(answer);
    if (answer.status === 400 && answer.body?.error === "invalid_grant") {
      await readAgain(found, Object.assign(outcome, { found: null, lasts: 0 }));
      if (!outcome.found) await place.end(found).catch(() => {}); // what is left there is refused as well
      return outcome;
    }
    if (answer.code === superseded) dead.set(token, outcome.at, Infinity);
    // A 503 without a code is not the server's, or what stands between has taken the code away.
    else if (answer.status !== 503 || answer.code) {
      const wait = (answer.retryAfter ?? 0) * 1000;
      return { ...outcome, stands: Math.min(Math.max(pause.least, wait), pause.most) };
    }
    return readAgain(found, outcome);
  }

  /** Takes what another process has stored meanwhile. */
  async function readAgain(found: Found, outcome: Outcome): Promise<Outcome> {
    const there = await place.again(found).catch(() => found);
    if (!there) outcome.found = null;
    else if (name(there.kept) !== name(found.kept)) Object.assign(outcome, { found: there, lasts: null, error: null });
    return outcome;
  }

  /** Keeps new tokens. Where the store fails it is tried again at once, and for whoever asks next. */
  async function save(found: Found, outcome: Outcome): Promise<Outcome> {
    for (let tries = 0; outcome.unsaved && tries < 2; tries++) {
      const made = outcome.unsaved;
      // They are good all the same, and the token in the store yields them once more.
      outcome.found = { cookie: found.cookie, kept: made.kept };
      try {
        outcome.found = await place.renew(found, made);
        outcome.lasts = outcome.found && made.lasts;
        outcome.unsaved = null;
      } catch {
        // the next try, or the next request's
      }
    }
    return outcome;
  }

  return { refresh, superseded: (kept) => dead.get(name(kept)) !== undefined };
}

/** A refresh token's name, or that of one so many refreshes later. */
const name = (kept: Kept, later = 0) => `${kept.sid}.${generation(kept) + later}`;
