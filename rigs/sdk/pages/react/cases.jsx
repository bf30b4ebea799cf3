// What TestReactCases asks of the components: each case renders under StrictMode, and answers with what came of it. Most have
// a client that the case plays, for what a server does seldom.

import { Component, StrictMode, useEffect } from "react";
import { createRoot } from "react-dom/client";
import { createClient, LatchkeyError } from "latchkey-client";
import { Callback, LatchkeyProvider, RequireSession, useSession } from "latchkey-client/react";

const sessionOf = (name) => ({ user: { id: name, name }, sid: "of " + name });

// React 18 throws at the window too what a boundary has caught.
window.addEventListener("error", (event) => event.error instanceof LatchkeyError && event.preventDefault());

/** A client that is ready with a session, or null, and tells what it is told to tell. */
function played(session, more = {}) {
  const listeners = new Set();
  const client = {
    begun: [],
    listeners,
    subscribe(fn) {
      listeners.add(fn);
      fn({ session, reason: "initial" });
      return () => listeners.delete(fn);
    },
    signIn: (asked) => (client.begun.push(asked.returnTo), new Promise(() => {})),
    tell(next, reason) {
      session = next;
      listeners.forEach((fn) => fn({ session, reason }));
    },
    ...more,
  };
  return client;
}

class Boundary extends Component {
  state = {};
  static getDerivedStateFromError = (error) => ({ error });
  render = () => (this.state.error ? "caught " + this.state.error.message : this.props.children);
}

/** Renders, and waits for what is shown: the effects of that have run then, those of the components that are gone too. */
function stage(client) {
  const at = document.body.appendChild(document.createElement("div"));
  const root = createRoot(at);
  const seen = [];
  let rendered = 0;
  let ran = 0;
  const Status = () => {
    const { status, session } = useSession();
    const mine = ++rendered;
    useEffect(() => {
      ran = mine; // it is the last of the components, and so its effects are
    });
    seen.push(session?.user.name ?? status);
    return null;
  };
  return {
    seen: () => seen.filter((one, i) => one !== seen[i - 1]),
    rendered: () => rendered,
    render: (child, as = client) =>
      root.render(
        <StrictMode>
          <Boundary>
            <LatchkeyProvider client={as}>
              {child}
              <Status />
            </LatchkeyProvider>
          </Boundary>
        </StrictMode>,
      ),
    shows: (text) => until(() => at.textContent === text && ran === rendered),
    caught: (message) => until(() => at.textContent === "caught " + message),
    unmount: () => root.unmount(),
  };
}

async function until(met) {
  while (!met()) await new Promise((resolve) => setTimeout(resolve, 5));
}
/** For what must not happen. */
const tasks = async () => {
  for (let i = 0; i < 10; i++) await new Promise((resolve) => setTimeout(resolve));
};
const required = (
  <RequireSession fallback="wait">
    <p>in</p>
  </RequireSession>
);

export const cases = {
  async "while storage has not answered the status is loading"() {
    let answer;
    const asked = new Promise((resolve) => (answer = resolve));
    const storage = { getItem: () => asked, setItem() {}, removeItem() {} };
    const there = stage(createClient({ issuer: "https://id.example", clientId: "slow", storage, channel: false }));
    there.render(<p>page</p>);
    await there.shows("page");
    const before = there.seen();
    answer(null);
    await until(() => there.seen().length > 1);
    return [before, there.seen()];
  },

  async "a client that is ready shows its session at once"() {
    const there = stage(played(sessionOf("Ada")));
    there.render(required);
    await there.shows("in");
    return there.seen();
  },

  async "a session that the server ends is one to sign in again for, one that the person ends is not"() {
    const begun = [];
    for (const reason of ["ended", "signed_out"]) {
      const client = played(sessionOf("Ada"));
      const there = stage(client);
      there.render(required);
      await there.shows("in");
      client.tell(null, reason);
      await there.shows("wait");
      begun.push([reason, ...client.begun]);
    }
    return begun;
  },

  async "each mount starts once, also after a sign-out that was not under it"() {
    const client = played(sessionOf("Ada"));
    const there = stage(client);
    there.render("page");
    await there.shows("page");
    client.tell(null, "signed_out");
    there.render(required);
    await there.shows("wait");
    const once = client.begun.length;
    client.tell(sessionOf("Ada"), "signed_in");
    await there.shows("in");
    client.tell(null, "ended");
    await there.shows("wait");
    return [once, client.begun.length];
  },

  async "after a refusal none starts, until something has changed"() {
    const client = played(null, { handleCallback: async () => ({ returnTo: "/", refused: "login_required" }) });
    const there = stage(client);
    const went = [];
    there.render(<Callback navigate={(to) => went.push(to)} fallback="one moment" />);
    await until(() => went.length);
    there.render(required);
    await there.shows("wait");
    const still = client.begun.length;
    client.tell(sessionOf("Ada"), "signed_in");
    await there.shows("in");
    client.tell(null, "ended");
    await there.shows("wait");
    await until(() => client.begun.length);
    return [went, still, client.begun.length];
  },

  async "nor where the refusal came before the client was ready"() {
    const client = played(null, { handleCallback: async () => ({ returnTo: "/", refused: "login_required" }) });
    client.subscribe = (fn) => (client.listeners.add(fn), () => client.listeners.delete(fn));
    const there = stage(client);
    const went = [];
    there.render(<Callback navigate={(to) => went.push(to)} />);
    await until(() => went.length);
    there.render(required);
    await there.shows("wait");
    client.tell(null, "initial");
    await until(() => there.seen().length > 1);
    await there.shows("wait");
    return [there.seen(), client.begun];
  },

  async "nor where the back end says so in the address"() {
    const shown = location.href;
    history.replaceState(null, "", "/?a=1&latchkey_refused=login_required");
    const client = played(null);
    const there = stage(client);
    there.render(required);
    await there.shows("wait");
    history.replaceState(null, "", shown);
    return client.begun;
  },

  async "a sign-in that cannot begin is thrown to the boundary"() {
    const client = played(null, { signIn: async () => Promise.reject(new LatchkeyError("invalid_request", "no https")) });
    const there = stage(client);
    there.render(required);
    await there.caught("no https");
    return true;
  },

  async "what failed is shown by error, or thrown to the boundary"() {
    const client = played(null, { handleCallback: async () => Promise.reject(new LatchkeyError("state_unknown", "no such")) });
    const there = stage(client);
    there.render(<Callback navigate={() => {}} error={(error) => error.code} />);
    await there.shows("state_unknown");
    there.render("gone");
    await there.shows("gone");
    there.render(<Callback navigate={() => {}} />);
    await there.caught("no such");
    return true;
  },

  async "a Callback that is gone neither navigates nor throws"() {
    const settle = [];
    const client = played(null, { handleCallback: () => new Promise((...both) => settle.push(both)) });
    const there = stage(client);
    const went = [];
    there.render(<Callback navigate={(to) => went.push(to)} fallback="wait" />);
    await there.shows("wait");
    await until(() => settle.length);
    there.render("gone");
    await there.shows("gone");
    settle.forEach(([resolve]) => resolve({ returnTo: "/", refused: null }));
    settle.length = 0;
    there.render(<Callback navigate={(to) => went.push(to)} fallback="wait" />);
    await there.shows("wait");
    await until(() => settle.length);
    there.render("gone again");
    await there.shows("gone again");
    settle.forEach(([, reject]) => reject(new LatchkeyError("timeout", "late")));
    await tasks();
    await there.shows("gone again");
    return went;
  },

  async "the navigate of the last rendering is called, and once"() {
    let settle;
    const client = played(null, { handleCallback: () => new Promise((resolve) => (settle = resolve)) });
    const there = stage(client);
    const went = [];
    there.render(<Callback navigate={() => went.push("old")} fallback="wait" />);
    await until(() => settle);
    there.render(<Callback navigate={() => went.push("new")} fallback="still" />);
    await there.shows("still");
    settle({ returnTo: "/", refused: null });
    await until(() => went.length);
    await tasks();
    return went;
  },

  async "what is told twice renders once, and nothing is told to who is gone"() {
    const client = played(sessionOf("Ada"));
    const there = stage(client);
    there.render("page");
    await there.shows("page");
    const before = there.rendered();
    client.tell(sessionOf("Ada"), "updated");
    await tasks();
    const same = there.rendered() - before;
    client.tell(sessionOf("Bob"), "switched");
    await until(() => there.seen().length > 1);
    there.unmount();
    await until(() => client.listeners.size === 0);
    return [same, there.seen()];
  },

  async "another client is another session"() {
    const there = stage(played(sessionOf("Ada")));
    there.render(required);
    await there.shows("in");
    there.render(required, played(sessionOf("Bob")));
    await until(() => there.seen().length > 1);
    return there.seen();
  },
};

window.cases = cases;
