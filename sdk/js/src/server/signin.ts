// Signing in: the request, kept in a sealed cookie of this browser, and the answer.

import { LatchkeyError } from "../error.js";
import { base64url } from "../env.js";
import { errorAt, errorOf, type Issuer, type World } from "./ask.js";
import { chance, cookieIn, setCookie } from "./cookies.js";
import { madeOf, type Made } from "./kept.js";
import type { Place } from "./places.js";
import { fresh } from "./refresh.js";
import { Recent } from "./recent.js";
import { failed, redirect } from "./replies.js";
import { makeSeal } from "./seal.js";
import type { Sessions } from "./session.js";
import type { Settings } from "./settings.js";

/** A request as it lies in the cookie. */
interface Pending {
  state: string;
  verifier: string;
  nonce: string;
  at: number;
  returnTo: string;
  /** What it asks for, as authorize is told. */
  asks: Record<string, string>;
}

export interface SignIn {
  login(request: Request, url: URL): Promise<Response>;
  callback(request: Request, url: URL): Promise<Response>;
}

/** How long a request is kept, in milliseconds: a mail's link may be opened the next day. */
const day = 86_400_000;
/** How many are kept, and in how many bytes with the cookie's name: with the session's, proxies let it through. */
const most = { requests: 5, bytes: 2500, returnTo: 800 };
/** How the state begins of a request that stands for one before, which is asked anew once. */
const anew = "again.";
/** What an app may ask for in its link, and in how many bytes as JSON: one request fits the cookie, whatever it asks for. */
const parameters = { prompt: 30, login_hint: 330, max_age: 15, acr_values: 200, ui_locales: 100 };

export function makeSignIn(settings: Settings, world: World, issuer: Issuer, place: Place, sessions: Sessions): SignIn {
  const { seal, open } = makeSeal(settings, settings.loginCookie);
  const openid = settings.scope.split(" ").includes("openid");
  const secret = (bytes: number) => base64url(chance(bytes));
  /** A code is sent once, though a browser may send its request twice. */
  const exchanges = new Recent<Exchanged | Promise<Exchanged>>(world.mono);

  async function pending(request: Request): Promise<Pending[]> {
    const sealed = cookieIn(request, settings.loginCookie);
    const opened = sealed && (await open(sealed));
    const kept: Pending[] = opened ? JSON.parse(opened).requests : [];
    return kept.filter(({ at }) => Math.abs(world.now() - at) < day);
  }

  /** The cookie with the newest of them. */
  async function keep(requests: Pending[]): Promise<string> {
    for (let kept = requests.slice(-most.requests); kept.length; kept = kept.slice(1)) {
      const sealed = await seal(JSON.stringify({ requests: kept }));
      if (settings.loginCookie.length + 1 + sealed.length <= most.bytes) return setCookie(settings, settings.loginCookie, sealed, day / 1000);
    }
    return setCookie(settings, settings.loginCookie, "", 0);
  }

  async function begin(others: Pending[], returnTo: string, asks: Record<string, string>, again = false): Promise<Response> {
    const state = (again ? anew : "") + secret(16);
    const request: Pending = { state, verifier: secret(32), nonce: secret(16), at: world.now(), returnTo, asks };
    const challenge = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(request.verifier));
    const query = new URLSearchParams({
      response_type: "code",
      client_id: settings.clientId,
      redirect_uri: settings.redirectUri,
      scope: settings.scope,
      state: request.state,
      nonce: request.nonce,
      code_challenge: base64url(new Uint8Array(challenge)),
      code_challenge_method: "S256",
      ...(settings.resource && { resource: settings.resource }),
      ...asks,
    });
    return redirect(`${settings.issuer}/oauth/authorize?${query}`, [await keep([...others, request])]);
  }

  /** A path of this app, not too long for the cookie; "/" for all else, also for what would be read as another host. */
  function local(returnTo: string | null): string {
    if (!returnTo || returnTo[0] !== "/" || returnTo.includes("\\") || !URL.canParse(returnTo, settings.baseUrl)) return "/";
    const { origin, href, pathname } = new URL(returnTo, settings.baseUrl);
    const path = href.slice(origin.length);
    return origin === settings.baseUrl && pathname[1] !== "/" && path.length <= most.returnTo ? path : "/";
  }

  async function login(request: Request, url: URL): Promise<Response> {
    const given = url.searchParams;
    const asks: Record<string, string> = {};
    for (const [name, bytes] of Object.entries(parameters)) {
      const value = given.get(name);
      if (value && new TextEncoder().encode(JSON.stringify(value)).length <= bytes) asks[name] = value;
    }
    if (given.get("screen") === "signup") asks.prompt = "create";
    return begin(await pending(request), local(given.get("returnTo")), asks);
  }

  async function callback(request: Request, url: URL): Promise<Response> {
    const said = url.searchParams;
    const all = await pending(request);
    const answers = said.get("state") ?? "";
    const ours = all.find(({ state }) => state === answers);
    if (!ours) {
      // A reload, or the way back. To whom else this happens, a link of somebody else's was given,
      if (await sessions.find(request)) return redirect(settings.baseUrl + "/");
      // or tabs have begun at once, and the last one's cookie has taken the place of the others'.
      if (all.length && !answers.startsWith(anew)) return begin(all, "/", {}, true);
      return failed(settings, new LatchkeyError("state_unknown", "This browser has not begun this sign-in, or a day ago"));
    }
    const others = all.filter((one) => one !== ours);
    const over = async (error: LatchkeyError) => failed(settings, error, [await keep(others)], ours.returnTo);
    if (said.get("iss") !== settings.issuer) {
      return over(new LatchkeyError("issuer_mismatch", "The answer is not from " + settings.issuer));
    }
    const refused = said.get("error");
    if (refused && /^(login|interaction|consent)_required$/.test(refused)) {
      const to = new URL(settings.baseUrl + ours.returnTo);
      to.search += `${to.search ? "&" : ""}latchkey_refused=${refused}`;
      return redirect(to.href, [await keep(others)]);
    }
    const code = said.get("code");
    if (!code) return over(new LatchkeyError(refused ?? "invalid_request", said.get("error_description") ?? "The answer has no code"));

    const { made, error, lost } = await exchange(code, ours);
    if (lost && !answers.startsWith(anew)) {
      const { prompt, ...asks } = ours.asks;
      // Whoever signed up has an account now.
      return begin(others, ours.returnTo, prompt && prompt !== "create" ? { prompt, ...asks } : asks, true);
    }
    if (!made) return over(error!);
    const before = await sessions.find(request);
    const cookie = await place.begin(made);
    if (cookie === null) return over(new LatchkeyError("invalid_grant", "The session has ended meanwhile"));
    if (before && before.kept.sid !== made.kept.sid) {
      sessions.left(before.kept, false);
      await place.end(before);
    }
    return redirect(settings.baseUrl + ours.returnTo, [
      setCookie(settings, settings.cookie, cookie, made.lasts),
      await keep(others),
    ]);
  }

  async function exchange(code: string, request: Pending): Promise<Exchanged> {
    const known = exchanges.get(request.state);
    if (known) return known;
    const asking = ask(code, request).then((exchanged) => {
      exchanges.set(request.state, exchanged, fresh);
      return exchanged;
    });
    if (world.shares) exchanges.set(request.state, asking, fresh);
    return asking;
  }

  async function ask(code: string, { verifier, nonce }: Pending): Promise<Exchanged> {
    try {
      const answer = await issuer.post("/oauth/token", {
        grant_type: "authorization_code",
        code,
        redirect_uri: settings.redirectUri,
        code_verifier: verifier,
      });
      if (answer.status === 200 && answer.body) {
        const made = madeOf(answer.body, settings, { nonce: openid ? nonce : null }, issuer.offset(), world.now());
        return made ? { made } : { error: errorAt(answer, "invalid_id_token", "The tokens are not of this request") };
      }
      return { error: errorOf(answer), lost: answer.status < 400 || answer.status >= 500 || !answer.body };
    } catch (error) {
      return { error: error as LatchkeyError, lost: true }; // post rejects with nothing else
    }
  }

  return { login, callback };
}

/** What came of a code. */
interface Exchanged {
  made?: Made;
  error?: LatchkeyError;
  /** Nobody knows whether there is a session now: the code is not sent again. */
  lost?: boolean;
}
