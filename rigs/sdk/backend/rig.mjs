// What the programs here have in common: what they are told, apps that listen, and people with a browser without script.
import { readFileSync } from 'node:fs';
import http from 'node:http';
import { Visitor } from '../../apps/visitor.mjs';
import { createServer } from '../../../sdk/js/build/rig/server/index.js';

// settings are backendSettings of backend_test.go.
export const settings = JSON.parse(readFileSync(0, 'utf8'));

export const cookieSecrets = ['a secret of this rig alone, made by nobody'];

// options are createServer's, for one of the registered apps.
export function options(clientId, more = {}) {
  const { baseUrl, clientSecret } = settings.apps[clientId];
  return { issuer: settings.issuer, clientId, clientSecret, baseUrl, cookieSecrets, ...more };
}

// serve runs an app on Node's http: what /auth does not answer says who asks, and whether their token opens userinfo. A
// path with ?wait= takes so many milliseconds before it asks for the token, and one with ?look refreshes nothing.
export async function serve(given) {
  const auth = createServer(given);
  const node = auth.toNode();
  const server = http.createServer((request, response) => {
    node(request, response, (error) => {
      (error ? Promise.reject(error) : answer(auth, request, response)).catch((failure) => {
        console.error(failure); // shown where the test fails
        response.statusCode = 500;
        response.end();
      });
    });
  });
  server.maxRequestsPerSocket = 1; // none is kept open to a server that is restarted
  await new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(Number(new URL(given.baseUrl).port), '127.0.0.1', resolve);
  });
  return {
    url: given.baseUrl,
    // A port that is served once more must be free by then.
    close: () => new Promise((resolve) => {
      server.close(resolve);
      server.closeAllConnections();
    }),
  };
}

async function answer(auth, request, response) {
  const asked = new URL(request.url, 'http://localhost').searchParams;
  const wait = Number(asked.get('wait'));
  const got = await auth.getSession(request, { refresh: !asked.has('look') });
  if (wait) await delay(wait);
  const token = await got.getAccessToken().catch((error) => ({ refused: error.code }));
  for (const [name, value] of got.headers) response.appendHeader(name, value);
  response.setHeader('content-type', 'text/html');
  const said = { email: got.session?.user.email ?? null, sid: got.session?.sid ?? null, token, cookies: got.headers.getSetCookie().length };
  response.end(`<form method="post" action="/auth/logout"><button>Sign out</button></form>
<script type="application/json">${JSON.stringify(said)}</script>`);
}

export const delay = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

// until waits for a condition, and fails where it is not met within a minute.
export async function until(condition) {
  for (const began = Date.now(); ; await delay(20)) {
    const met = await condition();
    if (met) return met;
    if (Date.now() - began > 60_000) throw new Error(`never became true: ${condition}`);
  }
}

export class Person {
  constructor(url, visitor = new Visitor('none:')) {
    Object.assign(this, { url, visitor });
  }

  // copy is who has copied the cookies, or a request that is under way.
  copy() {
    return new Person(this.url, this.visitor.copy());
  }

  async signIn(email = settings.people[0]) {
    const { page } = await this.visitor.wayIn(await this.visitor.open(this.url + '/auth/login?returnTo=/cart'), { email, password: settings.password });
    if (page.url.href !== this.url + '/cart') throw new Error(`the way in ended at ${page.url} with status ${page.status}:\n${page.text}`);
    return this.ask();
  }

  // ask is what the app says of who asks.
  async ask(path = '/') {
    const page = await this.visitor.open(this.url + path);
    if (page.status !== 200) throw new Error(`${page.url} answers ${page.status}: ${page.text}`);
    return JSON.parse(/json">(.*)<\/script>/.exec(page.text)[1]);
  }

  // signOut presses the button, and returns where that ends.
  async signOut() {
    const page = await this.visitor.open(this.url + '/');
    const end = await this.visitor.submit(page, page.forms[0]);
    return end.url.href;
  }
}

// opens says whether an access token opens userinfo.
export async function opens(token) {
  const answer = await fetch(settings.issuer + '/oauth/userinfo', { headers: { Authorization: `Bearer ${token}` } });
  return answer.status === 200;
}

// answered is how often the token endpoint has answered, by status.
export async function answered() {
  const text = await (await fetch(settings.admin + '/metrics')).text();
  const counted = {};
  for (const [, status, n] of text.matchAll(/^latchkey_http_requests_total\{route="POST \/oauth\/token",status="(\d+)"\} ([1-9]\d*)$/gm)) counted[status] = Number(n);
  return counted;
}
