// An app of three pages: a home for everybody, orders for whoever is signed in, and the callback of the sign-in.
import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { createClient } from "latchkey-client";
import { Callback, LatchkeyProvider, RequireSession, useSession } from "latchkey-client/react";

const client = createClient({ issuer: "http://localhost:8080", clientId: "shop" });

function Home() {
  const { session } = useSession();
  if (!session) return <SignIn />;
  return (
    <>
      <p>
        Hello, {session.user.name ?? "you"}. You are signed in as <strong id="who">{session.user.email}</strong>.
      </p>
      <button onClick={() => client.signOut()}>Sign out</button>
    </>
  );
}

function SignIn() {
  const { status } = useSession();
  if (status !== "signedOut") return null; // it is not known yet
  return <button onClick={() => client.signIn({ returnTo: location.pathname })}>Sign in</button>;
}

function Orders() {
  const { session } = useSession();
  return <p>There is nothing yet, {session?.user.givenName ?? "friend"}.</p>;
}

function Page() {
  switch (location.pathname) {
    case "/callback": // With a router, navigate is the router's own.
      return <Callback navigate={(to) => location.replace(to)} fallback="One moment" error={(error) => error.message} />;
    case "/orders":
      return (
        <RequireSession fallback={<SignIn />}>
          <Orders />
        </RequireSession>
      );
    default:
      return <Home />;
  }
}

const root = document.getElementById("root");
if (root) {
  createRoot(root).render(
    <StrictMode>
      <LatchkeyProvider client={client}>
        <h1>Shop</h1>
        <nav>
          <a href="/">Home</a> <a href="/orders">Orders</a>
        </nav>
        <Page />
      </LatchkeyProvider>
    </StrictMode>,
  );
}
