// An application on a server, built of @auth/core, which is called with a Request and answers with a Response. It keeps
// its tokens in the session's cookie and refreshes them where Auth.js reads that, in the way of its guide.
import { requestsDuring, settings, tell } from './rig.mjs';
import { Auth } from '@auth/core';
import { Visitor } from './visitor.mjs';

const home = new URL('/', settings.redirectUri);
const metadata = await (await fetch(`${settings.issuer}/.well-known/openid-configuration`)).json();
const complaints = [];

const config = {
  basePath: '/auth',
  secret: 'what Auth.js seals its cookies with, in this test alone',
  trustHost: true,
  providers: [{
    id: 'latchkey',
    name: 'Latchkey',
    type: 'oidc',
    issuer: settings.issuer,
    clientId: settings.clientId,
    clientSecret: settings.clientSecret,
    authorization: { params: { scope: 'openid profile email offline_access' } },
    checks: ['pkce', 'state', 'nonce'],
  }],
  callbacks: {
    jwt: ({ token, account }) => (account ? { ...token, ...kept(account, account.expires_at) } : current(token)),
    session: ({ session, token }) => ({ ...session, refreshToken: token.refreshToken }), // to be compared; no application shows it
  },
  logger: {
    error: (error) => complaints.push(`${error.name}: ${error.message}`),
    warn: (code) => complaints.push(code),
    debug() {},
  },
};

// kept is what the session keeps of an answer of the token endpoint.
function kept({ access_token: accessToken, refresh_token: refreshToken }, expiresAt) {
  return { accessToken, refreshToken, expiresAt };
}

// current is the session with an access token that is good for another minute.
async function current(token) {
  const now = Math.floor(Date.now() / 1000);
  if (token.expiresAt - now > 60) return token;
  const answer = await fetch(metadata.token_endpoint, {
    method: 'POST',
    body: new URLSearchParams({
      grant_type: 'refresh_token',
      refresh_token: token.refreshToken,
      client_id: settings.clientId,
      client_secret: settings.clientSecret,
    }),
  });
  if (answer.status >= 500) return token; // this says nothing of the session
  if (!answer.ok) return null; // it has ended, and Auth.js takes its cookie back
  const renewed = await answer.json();
  return { ...token, ...kept(renewed, now + renewed.expires_in) };
}

function application(request) {
  if (new URL(request.url).pathname.startsWith('/auth/')) return Auth(request, config);
  return new Response('Welcome.', { headers: { 'content-type': 'text/plain' } });
}

// sessionOf asks the application whom it takes a visitor for.
async function sessionOf(visitor) {
  const { text } = await visitor.open(new URL('/auth/session', home));
  const session = JSON.parse(text);
  return { email: session?.user?.email ?? '', refreshToken: session?.refreshToken };
}

const visitor = new Visitor(home.href, application);
const offer = await visitor.open(new URL('/auth/signin', home));
const button = offer.forms.find(({ action }) => action.pathname === '/auth/signin/latchkey');
const { page, pages } = await visitor.wayIn(await visitor.submit(offer, button), settings);
if (page.url.href !== home.href) throw new Error(`the way in ended at ${page.url} with status ${page.status}:\n${page.text}`);

const [one, two, late] = [visitor.copy(), visitor.copy(), visitor.copy()];
const report = { pages: ['/auth/signin', ...pages] };
const atOnce = await Promise.all([sessionOf(one), sessionOf(two)]);
report.atOnce = atOnce.map(({ email }) => email);
report.sameSuccessor = atOnce[0].refreshToken === atOnce[1].refreshToken;
report.afterwards = [(await sessionOf(one)).email, (await sessionOf(two)).email];
report.lateRequests = await requestsDuring('/oauth/token', async () => {
  report.late = (await sessionOf(late)).email;
});
tell({ ...report, complaints });
