// The first script of a page whose time stands until the rig moves it. The rig puts `const begun = {page, clock, mono}`
// before it and hears of the page by the binding `report`.
//
// Date, performance.now and timers are the rig's. All else is the browser's own and only counted: when nothing is under way
// and all that was sent has been heard, whatever time has caused is done.
"use strict";
{
  const { page } = begun;
  let { clock, mono } = begun; // Date's milliseconds, and performance.now's
  const real = { fetch, BroadcastChannel, now: performance.now.bind(performance) };

  // A task of its own, which no timer of the page's is.
  const tasks = [];
  const { port1, port2 } = new MessageChannel();
  port1.onmessage = () => tasks.shift()();
  const task = () => new Promise((resolve) => (tasks.push(resolve), port2.postMessage(null)));

  /** What the rig compares: messages and changes of localStorage, sent and heard since the last report. */
  let news;
  const forget = () => (news = { posted: 0, got: 0, wrote: [], heard: [] });
  forget();
  const flying = new Set(); // requests under way
  let shown = false, leaving = false, reports = 0, reporting = false;
  function state() {
    const said = { page, n: ++reports, next: earliest()?.at ?? null, flying: [...flying], shown, ...news };
    forget();
    return said;
  }
  async function changed() {
    if (reporting) return;
    reporting = true;
    await task();
    reporting = false;
    report(JSON.stringify(state()));
  }
  /** Names a change, shortly. */
  const named = (key, value) => key + " " + [...String(value).slice(0, 5000)].reduce((sum, c) => (sum * 31 + c.charCodeAt(0)) | 0, 0);

  globalThis.Date = class extends Date {
    constructor(...at) {
      super(...(at.length ? at : [clock]));
    }
    static now() {
      return clock;
    }
  };
  performance.now = () => mono;

  const timers = new Map();
  let last = 0;
  const earliest = () => [...timers.values()].reduce((one, other) => (one && one.at <= other.at ? one : other), null);
  const set = (every) => (run, ms = 0, ...given) => {
    const after = Math.max(0, Number(ms) || 0);
    timers.set(++last, { id: last, at: mono + after, every: every && Math.max(1, after), run: () => run(...given) });
    changed();
    return last;
  };
  globalThis.setTimeout = set(false);
  globalThis.setInterval = set(true);
  globalThis.clearTimeout = globalThis.clearInterval = (id) => timers.delete(id) && changed();

  /** Under way until what it leads to in the page has begun. */
  async function fly(id, promise) {
    flying.add(id);
    changed();
    try {
      return await promise;
    } finally {
      task().then(() => flying.delete(id) && changed());
    }
  }
  let requests = 0;
  // The rig tells by `held` whose request it is, and takes that away again.
  globalThis.fetch = (input, init) => {
    const id = `${page}.${++requests}`;
    if (!(input instanceof Request) && /^http/.test(new URL(input, document.baseURI))) {
      input = new URL(input, document.baseURI);
      input.searchParams.append("held", id);
    }
    return fly(id, real.fetch.call(globalThis, input, init));
  };
  for (const name of ["arrayBuffer", "json", "text"]) {
    const read = Response.prototype[name];
    Response.prototype[name] = function () {
      return fly(`${page}.body${++requests}`, read.call(this));
    };
  }

  globalThis.BroadcastChannel = class extends real.BroadcastChannel {
    constructor(name) {
      super(name);
      this.addEventListener("message", () => (news.got++, changed()));
    }
    postMessage(message) {
      if (leaving) return;
      super.postMessage(message);
      news.posted++;
      changed();
    }
  };
  for (const name of ["setItem", "removeItem"]) {
    const change = Storage.prototype[name];
    Storage.prototype[name] = function (key, ...value) {
      const before = this.getItem(key);
      try {
        change.call(this, key, ...value);
      } finally {
        const now = this.getItem(key);
        if (this === localStorage && now !== before) {
          news.wrote.push(named(key, now));
          changed();
        }
      }
    };
  }
  addEventListener("storage", ({ key, newValue }) => (news.heard.push(named(key, newValue)), changed()));
  addEventListener("pageshow", () => ((shown = true), changed()));

  globalThis.held = {
    /** Sets both clocks; what is due stays due. */
    set(at) {
      ({ clock, mono } = at);
      return state();
    },
    /** Runs what is due, in its order, each in a task of its own. */
    async fire() {
      for (let due; (due = earliest()) && due.at <= mono; await task()) {
        if (due.every) due.at = mono + due.every;
        else timers.delete(due.id);
        try {
          due.run();
        } catch (error) {
          reportError(error);
        }
      }
      return state();
    },
    state,
    /**
     * Tells the page that it is hidden, as it is when it ends, while what it says of that can still be counted. The second
     * time it says nothing.
     */
    async leave() {
      document.dispatchEvent(new Event("visibilitychange", { bubbles: true }));
      await task();
      leaving = true;
      return state();
    },
    /** Tells the rig something, with the real time in milliseconds since 1970. */
    tell: (said) => report(JSON.stringify({ page, at: performance.timeOrigin + real.now(), said })),
  };
  changed();
}
