// The first script of a test's page: its clock and its timers, which a test can move, and what it has asked for. So a
// sleep of an hour takes no hour, in browsers that cannot be put to sleep.
"use strict";
{
  const machine = { Date, fetch, setTimeout, clearTimeout, uptime: performance.now.bind(performance) };
  /** How far Date and performance.now are ahead of the machine's, in milliseconds. Whatever is loaded later goes on with Date's. */
  const ahead = { date: Number(localStorage.getItem("shim")), uptime: 0 };
  const now = () => machine.Date.now() + ahead.date;
  const uptime = () => machine.uptime() + ahead.uptime;

  globalThis.Date = new Proxy(Date, {
    construct: (target, given, made) => Reflect.construct(target, given.length ? given : [now()], made),
    apply: () => new Date().toString(),
    get: (target, name) => (name === "now" ? now : Reflect.get(target, name)),
  });
  performance.now = uptime;

  /** What waits: { due, every, run }, by id. */
  const timers = new Map();
  let made = 0;
  /** Sets the machine's timer. */
  function arm(id, timer) {
    machine.clearTimeout.call(globalThis, timer.handle);
    timer.handle = machine.setTimeout.call(globalThis, ring, Math.max(0, timer.due - uptime()), id, timer);
  }
  function ring(id, timer) {
    if (timer.every === null) timers.delete(id);
    else arm(id, Object.assign(timer, { due: uptime() + timer.every }));
    timer.run();
  }
  const setter = (repeats) => (run, delay, ...given) => {
    const ms = Math.max(0, Number(delay) || 0);
    const timer = { due: uptime() + ms, every: repeats ? ms : null, run: () => run(...given) };
    timers.set(++made, timer);
    arm(made, timer);
    return made;
  };
  function clear(id) {
    machine.clearTimeout.call(globalThis, timers.get(id)?.handle);
    timers.delete(id);
  }
  Object.assign(globalThis, { setTimeout: setter(false), setInterval: setter(true), clearTimeout: clear, clearInterval: clear });

  /** What was asked for: url and body, and the status of the answer; null while there is none, "lost" where none came. */
  const fetches = [];
  globalThis.fetch = async (input, init) => {
    const asked = { url: String(input?.url ?? input), body: String(init?.body ?? ""), status: null };
    fetches.push(asked);
    try {
      const response = await machine.fetch.call(globalThis, input, init);
      asked.status = response.status;
      return response;
    } catch (error) {
      asked.status = "lost";
      throw error;
    }
  };

  globalThis.shim = {
    fetches,
    /**
     * Moves the clock by so many milliseconds. Timers "fire": those that would have gone off by then do so now, in their
     * order, late, as after a sleep. Or "keep": each still waits as long as before, as when somebody sets the clock.
     */
    jump(ms, timersAre) {
      ahead.date += ms;
      localStorage.setItem("shim", String(ahead.date));
      if (timersAre !== "fire") return;
      ahead.uptime += ms;
      for (const [id, timer] of [...timers].sort(([, one], [, other]) => one.due - other.due)) arm(id, timer);
    },
    /** Stops what waits. Whatever the page does next, it does because it has heard of something. */
    still() {
      for (const id of timers.keys()) clear(id);
    },
  };
}
