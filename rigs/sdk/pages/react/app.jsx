// The app of TestReact: a page for everybody, one for who is signed in, and the callback.

import { useEffect, useInsertionEffect, useState } from "react";
import { Callback, LatchkeyProvider, RequireSession, useSession } from "latchkey-client/react";

/** `shop` is where the test looks: each status that was committed, and the one for which effects have run. */
export function App({ client, initialSession, shop, first }) {
  const [path, setPath] = useState(first);
  const navigate = (to) => {
    shop.navigated++;
    history.replaceState(null, "", to);
    setPath(to);
  };
  return (
    <LatchkeyProvider client={client} initialSession={initialSession}>
      {path === "/callback" ? (
        <Callback navigate={navigate} fallback={<p>One moment</p>} error={(error) => <p id="error">{error.code}</p>} />
      ) : path.startsWith("/orders") ? (
        <RequireSession fallback={<p id="fallback">Sign in first</p>}>
          <Orders />
        </RequireSession>
      ) : (
        <Orders />
      )}
      <Watch shop={shop} path={path} />
    </LatchkeyProvider>
  );
}

function Orders() {
  const { status, session, client } = useSession();
  return (
    <>
      <p id="name">{session?.user.name ?? status}</p>
      <button id="out" onClick={() => client.signOut()}>
        Sign out
      </button>
    </>
  );
}

/** The last of the components, whose effects run when those of the others have. */
function Watch({ shop, path }) {
  const { status } = useSession();
  useInsertionEffect(() => {
    if (shop.statuses.at(-1) !== status) shop.statuses.push(status);
  });
  useEffect(() => {
    shop.settled = path + " " + status;
  });
  return null;
}
