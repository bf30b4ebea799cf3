// An API that lets in whoever shows a good access token, for every runtime: workerd takes it as it is, host.mjs is for the
// others.

import { createVerifier, VerifyError } from "latchkey-client/verify";
import attacks from "../../../verify/testdata/attacks.json";

const clock = Date.now;
let moved = 0;
Date.now = () => clock() + moved;

let verifier;

export default {
  async fetch(request, settings, context) {
    const { pathname, searchParams } = new URL(request.url, "http://api.example");
    switch (pathname) {
      case "/ready":
        return new Response("ready");
      case "/attacks":
        return Response.json(await attacked());
      case "/clock": // moves it
        moved += Number(searchParams.get("ms"));
        return new Response("");
      case "/feed":
        return new Response(refusedFeed(settings));
    }
    const { ISSUER: issuer, OPEN_FOR } = settings;
    const feed = OPEN_FOR && { clientId: "verifier", clientSecret: settings.SECRET, openFor: Number(OPEN_FOR) };
    verifier ??= createVerifier({ issuer, audience: issuer, ...(feed && { feed }) });
    const waitUntil = context && ((promise) => context.waitUntil(promise));
    return answer(verifier.verify(request.node ?? request, pathname === "/wait" ? {} : { waitUntil }));
  },
};

async function answer(check) {
  try {
    return new Response((await check).email);
  } catch (error) {
    if (!(error instanceof VerifyError)) throw error;
    const { code, status, wwwAuthenticate, retryAfter } = error;
    return new Response(code, { status, headers: { "WWW-Authenticate": wwwAuthenticate, ...(retryAfter && { "Retry-After": String(retryAfter) }) } });
  }
}

/** What is said of each token of the table, where it is not what the table says; and how many there are. */
async function attacked() {
  const before = [globalThis.fetch, Date.now];
  globalThis.fetch = async () => Response.json(attacks.jwks);
  Date.now = () => attacks.now * 1000;
  const wrong = [];
  try {
    const { issuer, audience, cases } = attacks;
    const one = createVerifier({ issuer, audience });
    for (const { name, token, code } of cases) {
      const said = await one.verify(token).then(
        () => "",
        (error) => error.code ?? String(error),
      );
      if (said !== code) wrong.push(`${name}: ${said}`);
    }
    return { wrong, tried: cases.length };
  } finally {
    [globalThis.fetch, Date.now] = before;
  }
}

function refusedFeed({ ISSUER: issuer }) {
  try {
    createVerifier({ issuer, audience: issuer, feed: { clientId: "verifier", clientSecret: "x" } }).close();
    return "";
  } catch (error) {
    return error.code;
  }
}
