// A request that takes long, really, beside others whose access tokens run out several times: sealed cookies, one process.
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { answered, delay, options, Person, serve, settings } from './rig.mjs';

const app = await serve(options('sealed'));
after(() => app.close());

test(`a handler of ${settings.wait} seconds beside rotations: no sign-out`, async () => {
  const person = new Person(app.url);
  await person.signIn();
  await delay((settings.life * 1000 * 3) / 4); // its token is due
  const slow = person.copy().ask(`/?wait=${settings.wait * 1000}`);
  let answer;
  slow.then((said) => { answer = said; }, (error) => { answer = error; });
  const seen = new Set();
  const ask = async () => {
    const { email, token } = await person.ask();
    assert.equal(email, settings.people[0]);
    seen.add(token);
    await delay(250);
  };
  while (!answer) await ask();
  assert.equal((await slow).email, settings.people[0]);
  assert.equal((await slow).cookies, 0, 'it puts no old cookie back');
  const during = seen.size;
  while (seen.size < during + 2) await ask();
  const { 200: good, ...others } = await answered();
  assert.ok(good >= seen.size, `${good} refreshes`);
  assert.deepEqual(others, {});
  console.log(`# told: ${seen.size} access tokens`);
});
