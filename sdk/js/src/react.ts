// `latchkey-client/react`: who is signed in, for components of React; and createClient, also for an app with a back end.

"use client";

import {
  createContext,
  createElement,
  Fragment,
  useContext,
  useEffect,
  useMemo,
  useRef,
  useState,
  useSyncExternalStore,
  type ReactElement,
  type ReactNode,
} from "react";
import type { LatchkeyError } from "./error.js";
import type { Change, Client, Reason, Session } from "./types.js";

export { createClient, type Backend, type ServerClientOptions } from "./backend.js";

/**
 * What useSession answers. `loading` is before `client.ready`, where the provider was given no initialSession: it is not
 * known yet whether somebody is signed in.
 */
export type SessionState =
  | { readonly status: "signedIn"; readonly session: Session; readonly client: Client }
  | { readonly status: "signedOut"; readonly session: null; readonly client: Client }
  | { readonly status: "loading"; readonly session: null; readonly client: Client };

/** What LatchkeyProvider is given. */
export interface LatchkeyProviderProps {
  /** What createClient made: one for the page, made outside of components. */
  client: Client;
  /**
   * The session that the back end rendered the page with. It counts until `client.ready`, so that hydration finds what is
   * there; null, or none, is `loading` until then. Only the one of the first rendering is looked at.
   */
  initialSession?: Session | null | undefined;
  /** The app. */
  children?: ReactNode;
}

/** What RequireSession is given. */
export interface RequireSessionProps {
  /**
   * Shown while nobody is signed in: while that is not known yet, while the page is left for the sign-in, and where none is
   * started. There `status` is `signedOut`, and a button that calls `client.signIn()` is of use.
   */
  fallback?: ReactNode;
  /** Shown to whoever is signed in. */
  children?: ReactNode;
}

/** What Callback is given. */
export interface CallbackProps {
  /** Shows another page of the app, in place of this one. It is given a path of this origin, that signIn was given. */
  navigate: (returnTo: string) => void;
  /** Shown until then. */
  fallback?: ReactNode;
  /** What is shown of a sign-in that failed. Without it the error is thrown to the error boundary above. */
  error?: (error: LatchkeyError) => ReactNode;
}

/** What a provider hands down: the client's session as last told, and why RequireSession might have to keep still. */
interface Store {
  /** What the back end rendered, and hydration begins with. */
  readonly first: SessionState;
  state: SessionState;
  /** Why the state is what it is. */
  reason: Reason | null;
  /** The server has refused a sign-in that was to ask nobody, and nothing has changed since. */
  refused: boolean;
  subscribe(changed: () => void): () => void;
}

const Context = createContext<Store | null>(null);

/** Hands the client's session to the components below it. */
export function LatchkeyProvider({ client, initialSession, children }: LatchkeyProviderProps): ReactElement {
  const store = useMemo(() => makeStore(client, initialSession ?? null), [client]);
  return createElement(Context.Provider, { value: store }, children);
}

/** The session, and the client. Renders again at each change. Throws a TypeError where no LatchkeyProvider is above. */
export function useSession(): SessionState {
  const store = useStore();
  return useSyncExternalStore(
    store.subscribe,
    () => store.state,
    () => store.first,
  );
}

/**
 * Shows its children to whoever is signed in. Otherwise it goes to the sign-in page, and from there back to the address that
 * was shown. It does so once a mount, and not at all where a sign-in that was to ask nobody has been refused, to the Callback
 * of this page or as the back end says in the address, nor where the person has signed out while it was there. A sign-in that
 * cannot begin is thrown to the error boundary above.
 */
export function RequireSession({ fallback, children }: RequireSessionProps): ReactElement {
  const store = useStore();
  const { status, client } = useSession();
  const [failed, fail] = useState<{ error: unknown } | null>(null);
  const begun = useRef<Promise<void> | null>(null);
  const shown = useRef(false);
  useEffect(() => {
    if (status === "signedIn") shown.current = true;
    if (status !== "signedOut" || (shown.current && store.reason === "signed_out")) return;
    if (store.refused || /[?&]latchkey_refused=/.test(location.search)) return;
    begun.current ??= client.signIn({ returnTo: location.href.slice(location.origin.length) });
    return unlessGone(begun.current, () => {}, (error) => fail({ error }));
  }, [store, status, client]);
  if (failed) throw failed.error;
  return createElement(Fragment, null, status === "signedIn" ? children : fallback);
}

/**
 * The page at the client's redirectUri: ends the sign-in, and then navigates to where it began. It stands beside, not inside,
 * a RequireSession, and stays until it has navigated.
 */
export function Callback({ navigate, fallback, error }: CallbackProps): ReactElement {
  const store = useStore();
  const { client } = store.first;
  const [failed, fail] = useState<{ error: unknown } | null>(null);
  const latest = useRef(navigate);
  useEffect(() => {
    latest.current = navigate;
  });
  useEffect(
    () =>
      // Asked again it answers alike, so that effects may run twice.
      unlessGone(
        client.handleCallback(),
        ({ returnTo, refused }) => {
          store.refused = refused !== null;
          latest.current(returnTo);
        },
        (error) => fail({ error }),
      ),
    [store, client],
  );
  if (failed && !error) throw failed.error;
  return createElement(Fragment, null, failed ? error!(failed.error as LatchkeyError) : fallback);
}

function useStore(): Store {
  const store = useContext(Context);
  if (!store) throw new TypeError("There is no <LatchkeyProvider> above this component");
  return store;
}

function makeStore(client: Client, initial: Session | null): Store {
  if (!client) throw new TypeError("LatchkeyProvider needs a client: what createClient made");
  const first = stateOf(client, initial, "loading");
  const store: Store = {
    first,
    state: first,
    reason: null,
    refused: false,
    subscribe: (changed) =>
      client.subscribe((change) => {
        take(change);
        changed();
      }),
  };
  // Every component that is told comes here, and those that begin to listen hear `initial` once more.
  function take({ session, reason }: Change): void {
    if (store.state.status !== "loading" && JSON.stringify(session) === JSON.stringify(store.state.session)) return;
    store.state = stateOf(client, session, "signedOut");
    store.reason = reason;
    if (reason !== "initial") store.refused = false;
  }
  client.subscribe(take)(); // a client that is ready says so at once: then nothing has to be loading
  return store;
}

function stateOf(client: Client, session: Session | null, otherwise: "loading" | "signedOut"): SessionState {
  return session ? { status: "signedIn", session, client } : { status: otherwise, session, client };
}

/** Does with a promise's end what it is told, unless what is returned has been called: for effects. */
function unlessGone<T>(promise: Promise<T>, then: (value: T) => void, fail: (error: unknown) => void): () => void {
  let gone = false;
  promise.then((value) => gone || then(value)).catch((error) => gone || fail(error));
  return () => {
    gone = true;
  };
}
