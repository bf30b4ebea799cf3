// createServer: its routes, and what they are made of.

import { makeIssuer, thisWorld, type World } from "./ask.js";
import type { NodeRequest } from "./cookies.js";
import { makeSignOut } from "./logout.js";
import { toNode, type NodeHandler } from "./node.js";
import { sealedPlace, storedPlace } from "./places.js";
import { makeRefresher } from "./refresh.js";
import { json, refused } from "./replies.js";
import { makeSessions, type ServerSession } from "./session.js";
import { settingsOf, type ServerOptions } from "./settings.js";
import { makeSignIn } from "./signin.js";

/** What createServer makes. Its methods may be passed on without it. */
export interface LatchkeyServer {
  /**
   * Answers requests under `basePath`, and null to all others: GET `login` (with `returnTo`, `prompt`, `login_hint`,
   * `max_age`, `acr_values`, `ui_locales`, and `screen=signup`) and `callback`, POST `logout` (of this app's own pages
   * alone; with `here` it signs out of this app alone; asked for JSON it answers `{ location }`), GET `session`, which is
   * `{ session, issuer }`, and POST `backchannel`, the client's `backchannel_logout_uri`. Rejects with what a store does.
   */
  handle(request: Request): Promise<Response | null>;
  /**
   * Who sent a request. Its access token is refreshed where it has at most 90 seconds left, or a third of its life, unless
   * `refresh` is false: where no cookie can be set, as in a React Server Component. Call it as the request comes in: it goes
   * by the request's cookie. Rejects with what a store does.
   */
  getSession(from: Request | Headers | NodeRequest, options?: { refresh?: boolean }): Promise<ServerSession>;
  /** `handle` as middleware of Node's http, Express and others. */
  toNode(): NodeHandler;
}

/** Sign-in for a back end that serves a browser. Asks for nothing yet; a wrong option is a TypeError that names it. */
export function createServer(options: ServerOptions): LatchkeyServer {
  return makeServer(options, thisWorld());
}

/** The same, in a world of a test's own. */
export function makeServer(options: ServerOptions, world: World): LatchkeyServer {
  const settings = settingsOf(options);
  const issuer = makeIssuer(settings, world);
  const place = settings.store ? storedPlace(settings, settings.store, world.now) : sealedPlace(settings);
  const refresher = makeRefresher(settings, world, issuer, place);
  const sessions = makeSessions(settings, world, issuer, place, refresher);
  const { login, callback } = makeSignIn(settings, world, issuer, place, sessions);
  const { logout, backchannel } = makeSignOut(settings, issuer, place, sessions, refresher);

  async function session(request: Request): Promise<Response> {
    const { session, headers } = await sessions.get(request);
    return json({ session, issuer: settings.issuer }, headers.getSetCookie());
  }

  const routes: Record<string, [method: string, answer: (request: Request, url: URL) => Promise<Response>] | undefined> = {
    "/login": ["GET", login],
    "/callback": ["GET", callback],
    "/logout": ["POST", logout],
    "/session": ["GET", session],
    "/backchannel": ["POST", backchannel],
  };

  async function handle(request: Request): Promise<Response | null> {
    const url = new URL(request.url);
    if (!url.pathname.startsWith(settings.basePath + "/")) return null;
    const [method, answer] = routes[url.pathname.slice(settings.basePath.length)] ?? [];
    if (!method || !answer) return null;
    return request.method === method ? answer(request, url) : refused(405, "method_not_allowed", { Allow: method });
  }

  return { handle, getSession: sessions.get, toNode: () => toNode(handle, settings.baseUrl) };
}
