// A back end of latchkey-client/server beside a real server, with access tokens of a few seconds and real time.
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { memoryStore } from '../../../sdk/js/build/rig/server/index.js';
import { Visitor } from '../../apps/visitor.mjs';
import { answered, delay, opens, options, Person, serve, settings, until } from './rig.mjs';

const [ada, bob] = settings.people;
const apps = {
  sealed: await serve(options('sealed')),
  stored: await serve(options('stored', { store: memoryStore() })),
};
after(() => Promise.all(Object.values(apps).map((app) => app.close())));

// runOut waits until an access token is of no use any more.
async function runOut(token) {
  const { exp } = JSON.parse(Buffer.from(token.split('.')[1], 'base64url'));
  await until(() => Date.now() > exp * 1000);
}

// end ends an app's session at the server, as its user does in the list of sessions, and returns when.
async function end(sid) {
  const call = async (path, init) => {
    const answer = await fetch(settings.issuer + path, init);
    if (!answer.ok) throw new Error(`${path} answers ${answer.status}: ${await answer.text()}`);
    return answer.json();
  };
  const headers = { 'Content-Type': 'application/json' };
  const { data } = await call('/auth/signin', { method: 'POST', headers, body: JSON.stringify({ email: ada, password: settings.password }) });
  await call(`/auth/${sid}/sessions`, { method: 'DELETE', headers: { Authorization: `Bearer ${data.access_token}` } });
  return Date.now();
}

for (const [kind, app] of Object.entries(apps)) {
  test(`${kind}: a person signs in, is known with a token that opens the API, and signs out at app and server`, async () => {
    const person = new Person(app.url);
    const before = await person.ask();
    assert.deepEqual([before.email, before.token], [null, null]);
    const { email, token } = await person.signIn();
    assert.equal(email, ada);
    assert.ok(await opens(token));
    assert.equal(await person.signOut(), app.url + '/', 'the server has sent the browser back');
    assert.equal((await person.ask()).email, null);
    assert.equal(await opens(token), false);
    const again = await person.visitor.open(app.url + '/auth/login');
    assert.equal(again.url.origin, settings.issuer, 'the server asks for the password again');
    assert.ok(again.forms.some(({ asks }) => asks));
  });

  test(`${kind}: twenty requests at once with a run-out token: one refresh at the server, and no sign-out`, async () => {
    const person = new Person(app.url);
    const { token } = await person.signIn();
    const refreshes = async () => (await answered())['200'];
    await runOut(token);
    const before = await refreshes();
    const people = Array.from({ length: 20 }, () => person.copy());
    const said = await Promise.all(people.map((one) => one.ask()));
    assert.deepEqual(new Set(said.map(({ email }) => email)), new Set([ada]));
    assert.equal(new Set(said.map((one) => one.token)).size, 1);
    assert.notEqual(said[0].token, token);
    assert.deepEqual(new Set(said.map(({ cookies }) => cookies)), kind === 'sealed' ? new Set([1]) : new Set(said.map(({ cookies }) => cookies)));
    await until(async () => (await refreshes()) > before);
    await delay(200); // more would come to the counter as well
    assert.equal(await refreshes(), before + 1);
    for (const one of people) assert.equal((await one.ask()).email, ada);
  });

  test(`${kind}: two browsers, two people`, async () => {
    const [one, two] = [new Person(app.url), new Person(app.url)];
    await one.signIn(ada);
    await two.signIn(bob);
    assert.deepEqual([(await one.ask()).email, (await two.ask()).email], [ada, bob]);
    await one.signOut();
    assert.deepEqual([(await one.ask()).email, (await two.ask()).email], [null, bob]);
  });

  test(`${kind}: login CSRF: an attacker's answer from the server signs nobody else in`, async () => {
    const stranger = new Visitor(app.url + '/auth/callback'); // which stops before its own callback
    const { page } = await stranger.wayIn(await stranger.open(app.url + '/auth/login'), { email: bob, password: settings.password });
    assert.equal(page.url.pathname, '/auth/callback');
    assert.ok(page.url.searchParams.get('code'));
    const victim = new Person(app.url);
    const fooled = await victim.visitor.open(page.url);
    assert.equal(fooled.status, 400);
    assert.equal((await victim.ask()).email, null);
    await victim.signIn(ada);
    await victim.visitor.open(page.url);
    assert.equal((await victim.ask()).email, ada);
  });

  test(`${kind}: many refreshes one after the other`, async () => {
    const person = new Person(app.url);
    const seen = new Set([(await person.signIn()).token]);
    while (seen.size < 4) {
      const { email, token } = await person.ask();
      assert.equal(email, ada);
      assert.ok(await opens(token));
      seen.add(token);
      await delay(100);
    }
  });
}

test('stored: a copied cookie opens nothing after the sign-out', async () => {
  const person = new Person(apps.stored.url);
  await person.signIn();
  const thief = person.copy();
  assert.equal((await thief.ask()).email, ada);
  await person.signOut();
  const said = await thief.ask();
  assert.deepEqual([said.email, said.token], [null, null]);
});

test('sealed: a copied cookie opens nothing from the next refresh on', async () => {
  const person = new Person(apps.sealed.url);
  const { token } = await person.signIn();
  const thief = person.copy();
  await person.signOut();
  await runOut(token);
  const said = await thief.ask();
  assert.deepEqual([said.email, said.token], [null, null]);
});

test('stored: back-channel logout ends the session within 2 seconds', async () => {
  const person = new Person(apps.stored.url);
  const other = new Person(apps.stored.url);
  const { sid } = await person.signIn();
  await other.signIn();
  const ended = await end(sid);
  await until(async () => (await person.ask('/?look')).email === null); // which refreshes nothing
  const took = Date.now() - ended;
  console.log(`# told: ended ${took} ms after its end at the server`);
  assert.ok(took < 2000, `${took} ms`);
  assert.equal((await other.ask()).email, ada, 'the other session lives on');
});

test('sealed: a session that has ended at the server ends at its next refresh', async () => {
  const person = new Person(apps.sealed.url);
  const { sid, token } = await person.signIn();
  await end(sid);
  const still = await person.ask();
  if (still.token === token) assert.equal(still.email, ada); // on a busy machine it may have run out already
  await runOut(token);
  const said = await person.ask();
  assert.deepEqual([said.email, said.token, said.cookies], [null, null, 1]);
  assert.equal((await person.ask()).cookies, 0, 'its cookie was taken back');
});

test('sealed: secrets are rotated, and a cookie of another secret opens nothing', async () => {
  const person = new Person(apps.sealed.url);
  await person.signIn();
  const [old] = options('sealed').cookieSecrets;
  const next = 'the next secret of this rig alone, made by nobody';
  const restart = async (cookieSecrets) => {
    await apps.sealed.close();
    apps.sealed = await serve(options('sealed', { cookieSecrets }));
  };
  await restart([next]);
  assert.equal((await person.copy().ask()).email, null);
  await restart([next, old]);
  assert.equal((await person.ask()).email, ada);
  await until(async () => (await person.ask()).cookies === 1); // sealed anew, with the first
  await restart([next]);
  assert.equal((await person.ask()).email, ada);
  await restart([old]);
});
