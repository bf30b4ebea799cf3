// What every library of npm goes through here: one application's life with one person. story_test.go has the same for Go,
// and says what must come of it.
import { faultOf, requestsDuring, settings, tell } from './rig.mjs';
import { createRemoteJWKSet, jwtVerify } from 'jose';
import { Visitor } from './visitor.mjs';

// tellStory takes what an application does with its library:
//   begin(parameters)      an authorization request: its URL, and what complete needs to check the answer
//   complete(url, checks)  the answer's code for tokens, with the ID token's claims
//   refresh(refreshToken)  the same for a refresh token
//   userInfo(accessToken, subject)
//   signOutURL(parameters)
//   metadata               as discovered
export async function tellStory(library) {
  const visitor = new Visitor(new URL('/', settings.redirectUri).href);
  const enter = async (parameters) => {
    const { url, ...checks } = await library.begin(parameters);
    const { page, pages } = await visitor.wayIn(await visitor.open(url), settings);
    if (page.status !== 0) throw new Error(`the way in ended at ${page.url} with status ${page.status}:\n${page.text}`);
    return { pages, ...await library.complete(page.url, checks) };
  };

  const first = await enter({});
  const story = {
    pages: first.pages,
    idToken: first.claims,
    userInfo: await library.userInfo(first.tokens.access_token, first.claims.sub),
    accessToken: await readAccess(first.tokens.access_token, library.metadata),
  };

  const [one, two] = await Promise.all([library.refresh(first.tokens.refresh_token), library.refresh(first.tokens.refresh_token)]);
  story.sameSuccessor = one.tokens.refresh_token === two.tokens.refresh_token;
  story.renewed = one.claims;
  let newest = await library.refresh(one.tokens.refresh_token);
  story.superseded = {};
  story.superseded.requests = await requestsDuring('/oauth/token', async () => {
    story.superseded.fault = await faultOf(() => library.refresh(first.tokens.refresh_token));
  });
  newest = await library.refresh(newest.tokens.refresh_token);
  story.stillIn = newest.claims.sub === first.claims.sub;

  story.silent = await faultOf(() => enter({ prompt: 'none' }));
  const second = await enter({});
  story.again = { pages: second.pages.length ? second.pages : null, sub: second.claims.sub };

  story.signedOut = await leave(visitor, library, newest.tokens.id_token);
  story.afterSignOut = await faultOf(() => library.refresh(newest.tokens.refresh_token));
  tell(story);
}

// leave signs out by way of the browser and returns where that ends (OpenID Connect RP-Initiated Logout 2).
async function leave(visitor, library, hint) {
  const state = crypto.randomUUID();
  const end = await visitor.open(library.signOutURL({
    id_token_hint: hint, post_logout_redirect_uri: settings.signedOutPage, state,
  }));
  if (end.url.searchParams.get('state') !== state) throw new Error(`signing out ended at ${end.url}:\n${end.text}`);
  return end.url.origin + end.url.pathname;
}

// readAccess is what a resource server reads that verifies by jose.
async function readAccess(token, { issuer, jwks_uri: keys }) {
  const rules = { issuer, audience: issuer, typ: 'at+jwt', algorithms: ['ES256'] };
  const { payload } = await jwtVerify(token, createRemoteJWKSet(new URL(keys)), rules);
  return payload;
}
