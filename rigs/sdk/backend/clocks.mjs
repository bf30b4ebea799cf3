// A back end with sealed cookies beside a real server whose clock, like its own, is moved: slow requests, several processes.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { makeServer } from '../../../sdk/js/build/rig/server/server.js';
import { Visitor } from '../../apps/visitor.mjs';
import { cookieSecrets, options, settings } from './rig.mjs';

const life = settings.life * 1000;
const home = settings.apps.sealed.baseUrl;
let ahead = 0;

// pass moves every clock.
async function pass(ms) {
  const answer = await fetch(`${settings.control}?ms=${ms}`, { method: 'POST' });
  if (!answer.ok) throw new Error(`the clock answers ${answer.status}`);
  ahead += ms;
}

const started = Date.now();
const refreshes = []; // status of each

// process is one of the app's processes.
function process() {
  return makeServer({ ...options('sealed'), cookieSecrets }, {
    now: () => started + ahead,
    mono: () => ahead,
    patience: 60_000,
    shares: true,
    async fetch(url, init) {
      const answer = await fetch(url, init);
      if (init.body?.get('grant_type') === 'refresh_token') refreshes.push(answer.status);
      return answer;
    },
  });
}

// someone signs in at an app of so many processes, whose requests say which of them they come to (?p=) and may take time:
// a promise in gate. Such a request asks who sent it at once, or at its end (?late).
async function someone(processes = [process()]) {
  const gates = new Map();
  async function application(request) {
    const asked = new URL(request.url).searchParams;
    const auth = processes[Number(asked.get('p') ?? 0)];
    const answered = await auth.handle(request);
    if (answered) return answered;
    const early = asked.has('late') ? null : await auth.getSession(request);
    const gate = gates.get(asked.get('gate'));
    gate?.arrived();
    await gate?.open;
    const got = early ?? await auth.getSession(request);
    const token = await got.getAccessToken().catch((error) => ({ refused: error.code }));
    const said = { email: got.session?.user.email ?? null, token, cookies: got.headers.getSetCookie().length };
    return new Response(JSON.stringify(said), { headers: got.headers });
  }
  const visitor = new Visitor(home, application);
  const { page } = await visitor.wayIn(await visitor.open(home + '/auth/login'), { email: settings.people[0], password: settings.password });
  assert.equal(page.url.href, home + '/', page.text);
  const ask = async (query = '') => JSON.parse((await visitor.open(`${home}/?${query}`)).text);
  // slow sends a request, and when it is under way gives what lets it go on to its answer.
  async function slow(query = '') {
    const name = String(gates.size);
    let go;
    let answer;
    await new Promise((arrived) => {
      gates.set(name, { arrived, open: new Promise((done) => { go = done; }) });
      answer = ask(`gate=${name}&${query}`);
    });
    return () => {
      go();
      return answer;
    };
  }
  // old asks, whenever it is called, with the cookies of now.
  const old = () => {
    const copied = visitor.copy();
    return async (query) => JSON.parse((await copied.open(`${home}/?${query}`)).text);
  };
  return { ask, slow, old, signedIn: async (query) => assert.equal((await ask(query)).email, settings.people[0]) };
}

for (const when of ['', 'late']) {
  for (const other of [false, true]) {
    if (when && other) continue; // see the package's documentation of getSession
    test(`a handler of 70 seconds${when && ' that asks at its end'} beside rotations${other ? ' of another process' : ''}: no sign-out`, async () => {
      refreshes.length = 0;
      const { ask, slow, signedIn } = await someone([process(), process()]);
      await pass(life - 1000); // due
      const end = await slow(`${when}&p=${other ? 1 : 0}`);
      for (let second = 0; second < 70; second++) {
        await signedIn();
        await pass(1000);
      }
      const said = await end();
      assert.equal(said.email, settings.people[0]);
      if (!when) assert.equal(said.cookies, 0, 'it puts no old cookie back');
      for (let i = 0; i < 5; i++) {
        await signedIn(`p=${i % 2}`);
        await pass(life);
      }
      await signedIn();
      const { token } = await ask();
      assert.equal(typeof token, 'string');
      assert.ok(refreshes.length > 5);
      assert.deepEqual(refreshes.filter((status) => status !== 200), []);
    });
  }
}

test('every answer takes 70 seconds, so that none sets a cookie: no sign-out', async () => {
  refreshes.length = 0;
  const { slow, signedIn } = await someone();
  for (let i = 0; i < 40; i++) {
    const end = await slow();
    await pass(70_000);
    const said = await end();
    assert.equal(said.email, settings.people[0]);
    assert.equal(said.cookies, 0);
  }
  await signedIn();
  assert.deepEqual(refreshes.filter((status) => status !== 200), []);
});

// Where access tokens live for longer than answers take: else the server has to be asked once more, late, and the third such
// time in a row is reuse.
if (life > 100_000) {
  test('each refresh falls into an answer of 70 seconds, and a quick one follows: no sign-out', async () => {
    refreshes.length = 0;
    const { slow, signedIn } = await someone();
    for (let i = 0; i < 10; i++) {
      await pass(life);
      const end = await slow();
      await pass(70_000);
      await end();
      await signedIn();
    }
    assert.deepEqual(refreshes, Array(10).fill(200));
  });
}

// Two rotations within a minute, and a process that knows of neither.
if (life < 100_000) {
  test('a superseded cookie is no sign-out, of nobody, and its token is not sent again', async () => {
    refreshes.length = 0;
    const { old, signedIn } = await someone([process(), process()]);
    const before = old();
    for (let i = 0; i < 2; i++) {
      await pass(life - 19_000);
      await signedIn();
    }
    await pass(1000);
    for (let i = 0; i < 4; i++) {
      assert.deepEqual(await before('p=1'), { email: settings.people[0], token: { refused: 'refresh_superseded' }, cookies: 0 });
      await pass(30_000);
      await signedIn();
    }
    assert.deepEqual(refreshes.filter((status) => status !== 200), [503]);
  });
}

test('three days of one browser, requests one by one and together, of two processes: no sign-out', async () => {
  refreshes.length = 0;
  const { ask, signedIn } = await someone([process(), process()]);
  let seed = 7;
  const random = (below) => (seed = (seed * 16_807) % 2_147_483_647) % below;
  for (let passed = 0; passed < 3 * 86_400_000;) {
    const wait = [500, 5000, life / 2, life, 4 * life, 3_600_000, 8 * 3_600_000][random(7)];
    await pass(wait);
    passed += wait;
    await Promise.all(Array.from({ length: 1 + random(5) }, () => signedIn(`p=${random(2)}`)));
  }
  assert.equal(typeof (await ask()).token, 'string');
  assert.ok(refreshes.length > 20);
  assert.deepEqual(refreshes.filter((status) => status !== 200), []);
});
