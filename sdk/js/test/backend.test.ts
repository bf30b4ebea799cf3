// createClient({ server }) in a tab of a test's own, with a back end that the test plays and the real BroadcastChannel.

import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";
import { makeBackend, type ServerClientOptions, type Tab } from "../src/backend.js";
import type { Change, Session } from "../src/types.js";

const origin = "https://shop.example";
const issuer = "https://id.example";

const sessionOf = (id: string, sid: string, name = id): Session => ({
  user: { id, email: null, emailVerified: false, name, givenName: null, familyName: null, locale: null },
  sid,
  authTime: null,
  acr: null,
  amr: [],
});
const ada = sessionOf("ada", "s1");

/** What the tabs of one browser share: the cookie's session, as the back end knows it. */
class Origin {
  static made = 0;
  readonly server = "/auth" + Origin.made++; // and so a channel of its own
  session: unknown = null;
  /** Answers instead of the back end, where there is one. */
  instead: (() => Promise<Response>) | null = null;
  status = 200;
  channel: Tab["BroadcastChannel"] = BroadcastChannel;
  readonly asked: { url: string; init: RequestInit | undefined }[] = [];

  constructor(readonly t: TestContext) {}

  open(path = "/", options: Partial<ServerClientOptions> = {}) {
    const page = new Page(this, origin + path, options);
    this.t.after(() => page.client.dispose());
    return page;
  }

  questions = () => this.asked.filter(({ url }) => url === this.server + "/session").length;

  async answer(input: RequestInfo | URL, init?: RequestInit): Promise<Response> {
    this.asked.push({ url: String(input), init });
    if (this.instead) return this.instead();
    const path = String(input).replace(this.server, "");
    if (path === "/session") return Response.json({ session: this.session, issuer });
    if (path.startsWith("/logout")) {
      this.session = null;
      return Response.json({ location: path.includes("here=1") ? null : issuer + "/oauth/logout?x" });
    }
    return new Response("", { status: this.status });
  }
}

class Page {
  readonly told: string[] = [];
  readonly gone: string[] = [];
  readonly timers: (() => void)[] = [];
  readonly listening = new Map<string, () => void>();
  readonly document = {
    hidden: false,
    addEventListener: (name: string, hear: () => void) => void this.listening.set(name, hear),
    removeEventListener: (name: string, hear: () => void) => void (this.listening.get(name) === hear && this.listening.delete(name)),
  };
  readonly client;

  constructor(browser: Origin, url: string, options: Partial<ServerClientOptions>) {
    const tab: Tab = {
      document: this.document,
      location: { origin, href: url, assign: (to) => void this.gone.push(String(to)) },
      fetch: (input, init) => browser.answer(input, init),
      setTimeout: (run) => this.timers.push(run),
      BroadcastChannel: browser.channel,
    };
    this.client = makeBackend({ server: browser.server, ...options }, tab);
    this.client.subscribe(({ session, reason }: Change) => this.told.push([reason, session?.user.name].join(" ").trim()));
  }

  /** Answers once so much has been told. */
  async hears(...told: string[]): Promise<void> {
    await until(() => this.told.length >= told.length);
    assert.deepEqual(this.told, told);
  }
}

test("the back end says who is signed in, whenever there is news", async (t) => {
  const browser = new Origin(t);
  browser.session = ada;
  const page = browser.open();
  assert.equal(page.client.session, null);
  await page.client.ready;
  assert.deepEqual(page.client.session, ada);
  assert.equal(browser.asked[0]!.init!.cache, "no-store");
  assert.equal(await page.client.getAccessToken(), null);

  const news: [unknown, ...string[]][] = [
    [ada], // none
    [sessionOf("ada", "s1", "Ada L."), "updated Ada L."],
    [sessionOf("ada", "s2"), "updated ada"],
    [sessionOf("bob", "s3"), "switched bob"],
    [null, "ended"],
    [ada, "signed_in ada"],
  ];
  const told = ["initial ada"];
  for (const [session, ...heard] of news) {
    browser.session = session;
    const before = browser.questions();
    page.listening.get("visibilitychange")!();
    await until(() => browser.questions() > before);
    await page.hears(...told, ...heard);
    told.push(...heard);
  }
  page.document.hidden = true;
  const before = browser.questions();
  page.listening.get("visibilitychange")!();
  assert.equal(browser.questions(), before, "a page that is hidden asks nothing");
});

test("no answer signs nobody out, and before ready it is asked again", async (t) => {
  const browser = new Origin(t);
  browser.session = ada;
  const page = browser.open();
  await page.hears("initial ada");
  const none = [
    () => Promise.reject(new TypeError("offline")),
    async () => new Response("<h1>Bad gateway</h1>", { status: 502 }),
    async () => Response.json({ error: "unavailable" }, { status: 503 }),
    async () => Response.json(null),
    async () => Response.json({ session: "has expired" }),
  ];
  for (const [i, instead] of none.entries()) {
    browser.instead = instead;
    const waits = browser.open();
    page.listening.get("visibilitychange")!();
    await settled();
    assert.deepEqual([page.told.length, page.client.session, waits.told], [1, ada, []], String(i));
    browser.instead = null;
    waits.timers.shift()!();
    await waits.hears("initial ada");
    const before = browser.questions();
    waits.timers.forEach((run) => run());
    assert.equal(browser.questions(), before, "and then no more");
  }
});

test("the first answer counts while nobody has said, however late, and no older one after it", async (t) => {
  const browser = new Origin(t);
  const answers: ((answer: Response) => void)[] = [];
  browser.instead = () => new Promise((resolve) => answers.push(resolve));
  const page = browser.open();
  page.timers.shift()!();
  page.listening.get("visibilitychange")!();
  page.listening.get("visibilitychange")!();
  assert.deepEqual([answers.length, page.timers.length], [4, 1], "one chain of questions");
  const bob = sessionOf("bob", "s2");
  answers[1]!(Response.json({ session: ada }));
  await page.hears("initial ada");
  answers[3]!(Response.json({ session: bob }));
  await page.hears("initial ada", "switched bob");
  for (const i of [0, 2]) answers[i]!(Response.json({ session: null }));
  await settled();
  assert.deepEqual([page.client.session, page.told], [bob, ["initial ada", "switched bob"]]);
});

test("where the browser keeps tabs apart, each has its session all the same", async (t) => {
  const browser = new Origin(t);
  browser.session = ada;
  browser.channel = class {
    constructor() {
      throw new DOMException("denied", "SecurityError");
    }
  } as never;
  await browser.open().hears("initial ada");
});

test("sign-ins and sign-ups go to the back end", async (t) => {
  const page = new Origin(t).open();
  void page.client.signIn();
  void page.client.signIn({ returnTo: "/cart?x=1", prompt: "login", loginHint: "a@b.example", maxAge: 0, acrValues: "aal2", uiLocales: "de en" });
  void page.client.signUp({ returnTo: "/new" });
  const asked = page.gone.map((to) => [to.replace(/\d*\/login.*/, ""), Object.fromEntries(new URL(to, origin).searchParams)]);
  assert.deepEqual(asked, [
    ["/auth", { returnTo: "/" }],
    ["/auth", { returnTo: "/cart?x=1", prompt: "login", login_hint: "a@b.example", max_age: "0", acr_values: "aal2", ui_locales: "de en" }],
    ["/auth", { returnTo: "/new", prompt: "create" }],
  ]);
});

test("handleCallback says what was refused, and alike when asked again", async (t) => {
  const browser = new Origin(t);
  for (const [path, returnTo, refused] of [
    ["/cart?a=1&latchkey_refused=login_required#top", "/cart?a=1#top", "login_required"],
    ["/cart?latchkey_refused=consent_required", "/cart", "consent_required"],
    ["/cart?a=1", "/cart?a=1", null],
    ["//evil.example/?latchkey_refused=login_required", "/", "login_required"],
    ["/\\evil.example/", "/", null],
  ] as const) {
    const { client } = browser.open(path);
    assert.deepEqual(await Promise.all([client.handleCallback(), client.handleCallback()]), Array(2).fill({ returnTo, refused }));
  }
});

test("a sign-out is the back end's, and every tab's", async (t) => {
  const browser = new Origin(t);
  browser.session = ada;
  const [page, other] = [browser.open(), browser.open()];
  await page.client.ready;
  await other.client.ready;
  await page.client.signOut({ postLogoutRedirectUri: origin + "/bye" });
  assert.deepEqual([page.client.session, page.gone], [null, [issuer + "/oauth/logout?x"]]);
  await page.hears("initial ada", "signed_out");
  await other.hears("initial ada", "signed_out");

  const { url, init } = browser.asked.find(({ init }) => init?.method)!;
  assert.equal(url, browser.server + "/logout?post_logout_redirect_uri=https%3A%2F%2Fshop.example%2Fbye");
  assert.deepEqual(init, { method: "POST", headers: { Accept: "application/json" }, keepalive: true });

  browser.session = ada;
  const again = browser.open();
  await other.hears("initial ada", "signed_out", "signed_in ada");
  await again.client.signOut({ here: true });
  assert.deepEqual([again.client.session, again.gone], [null, []]);
});

test("a sign-out that the back end has not done changes nothing", async (t) => {
  const browser = new Origin(t);
  browser.session = ada;
  const page = browser.open();
  await page.client.ready;
  for (const instead of [() => Promise.reject(new TypeError("offline")), async () => new Response("", { status: 502 })]) {
    browser.instead = instead;
    await assert.rejects(page.client.signOut(), { name: "LatchkeyError", code: "network_error" });
    assert.deepEqual([page.client.session, page.told, page.gone], [ada, ["initial ada"], []]);
  }
});

test("an answer from before a sign-out does not bring the session back", async (t) => {
  const browser = new Origin(t);
  browser.session = ada;
  const page = browser.open();
  await page.client.ready;
  let late!: (answer: Response) => void;
  browser.instead = () => new Promise((resolve) => (late = resolve));
  page.listening.get("visibilitychange")!();
  browser.instead = null;
  await page.client.signOut({ here: true });
  late(Response.json({ session: ada }));
  await settled();
  assert.deepEqual([page.client.session, page.told], [null, ["initial ada", "signed_out"]]);
});

test("tabs that know ask nothing when another opens", async (t) => {
  const browser = new Origin(t);
  browser.session = ada;
  const [page, apart] = [browser.open(), browser.open("/", { channel: false })];
  await page.client.ready;
  await apart.client.ready;
  const before = browser.questions();
  await browser.open().client.ready;
  const channel = new BroadcastChannel("latchkey:" + browser.server);
  channel.postMessage("s1"); // once this has been heard, so has what came before
  channel.postMessage(null);
  channel.close();
  await until(() => browser.questions() > before + 2);
  await settled();
  assert.equal(browser.questions(), before + 3, "the new one's, and two for the null");
  assert.deepEqual([page.client.session, page.told, apart.told], [ada, ["initial ada"], ["initial ada"]], "whatever is said there");
});

test("fetch asks this origin alone, and a 401 may be the session's end", async (t) => {
  const browser = new Origin(t);
  browser.session = ada;
  const page = browser.open("/cart");
  await page.client.ready;
  for (const there of ["https://api.example/", "//api.example/", "https://shop.example:444/", "http://shop.example/", "data:,x", issuer]) {
    for (const input of [there, new URL(there, origin), ...(there.startsWith("//") ? [] : [new Request(there)])]) {
      await assert.rejects(page.client.fetch(input), { name: "LatchkeyError", code: "origin_not_allowed" }, there);
    }
  }
  const before = browser.questions();
  const init = { method: "POST" };
  assert.equal((await page.client.fetch("/api/orders", init)).status, 200);
  assert.deepEqual(browser.asked.at(-1), { url: "/api/orders", init });
  assert.equal((await page.client.fetch(new Request(origin + "/api"))).status, 200);
  assert.equal(browser.questions(), before);

  browser.session = null;
  browser.status = 401;
  assert.equal((await page.client.fetch("/api/orders")).status, 401);
  await page.hears("initial ada", "ended");
});

test("the account page is the issuer's, and sessions are the server's affair", async (t) => {
  const browser = new Origin(t);
  const page = browser.open("/cart");
  assert.throws(() => page.client.accountUrl(), TypeError, "it is not known yet");
  const told = browser.open("/", { issuer: "https://told.example" });
  assert.equal(told.client.accountUrl(), "https://told.example/account");
  await Promise.all([page.client.ready, told.client.ready]);
  assert.equal(told.client.accountUrl(), "https://told.example/account");
  assert.equal(page.client.accountUrl({ returnTo: "/x" }), issuer + "/account?return_to=https%3A%2F%2Fshop.example%2Fx");
  const { sessions } = page.client;
  for (const refused of [sessions.list(), sessions.end("s1"), sessions.endOthers()]) {
    await assert.rejects(refused, { name: "LatchkeyError", code: "insufficient_scope" });
  }
});

test("a subscriber that throws harms nobody else, and one that is gone hears nothing", async (t) => {
  const browser = new Origin(t);
  const page = browser.open("/", { channel: false });
  const heard: string[] = [];
  page.client.subscribe(() => heard.push("gone"))();
  page.client.subscribe(() => {
    throw new Error("the app's");
  });
  page.client.subscribe(({ reason }) => heard.push(reason));
  await page.client.ready;
  assert.deepEqual(heard, ["initial"]);
  assert.throws(page.timers.at(-1)!, { message: "the app's" });
});

test("nothing is left of a client that was disposed of", async (t) => {
  const browser = new Origin(t);
  browser.instead = () => Promise.reject(new TypeError("offline"));
  const page = browser.open();
  page.client.dispose();
  await page.client.ready;
  page.timers[0]!();
  browser.instead = null;
  browser.session = ada;
  await browser.open().client.ready;
  browser.status = 401;
  await page.client.fetch("/api");
  await settled();
  assert.deepEqual([page.told, page.client.session, page.listening.size], [[], null, 0]);
});

test("a sign-out that was asked for is done, though the client is disposed of at once", async (t) => {
  const browser = new Origin(t);
  browser.session = ada;
  const page = browser.open();
  await page.client.ready;
  const out = page.client.signOut();
  page.client.dispose();
  await out;
  assert.deepEqual([page.gone, page.told], [[issuer + "/oauth/logout?x"], ["initial ada"]]);
});

test("without a document nothing is touched, and nobody is signed in", async (t) => {
  t.mock.method(globalThis, "fetch", () => assert.fail("asked"));
  t.mock.method(globalThis, "setTimeout", () => assert.fail("timed"));
  t.mock.method(globalThis, "BroadcastChannel" as never, (() => assert.fail("joined")) as never);
  const client = makeBackend({ server: "/auth" });
  await client.ready;
  const told: Change[] = [];
  client.subscribe((change) => told.push(change));
  assert.deepEqual([client.session, told], [null, [{ session: null, reason: "initial" }]]);
  client.dispose();
});

test("a server that is no path of this origin is refused", () => {
  for (const server of ["auth", "https://shop.example/auth", ""]) {
    assert.throws(() => makeBackend({ server }), { name: "TypeError", message: /server.*"\/auth"/ });
  }
});

/** Waits, a minute at most, until something is so. */
async function until(met: () => boolean): Promise<void> {
  for (const end = Date.now() + 60_000; !met(); await new Promise((resolve) => setImmediate(resolve))) {
    if (Date.now() > end) assert.fail(`never became true: ${met}`);
  }
}

/** Whatever was to happen has happened. */
async function settled(): Promise<void> {
  for (let i = 0; i < 20; i++) await new Promise((resolve) => setImmediate(resolve));
}
