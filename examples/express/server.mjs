// An API: it lets in whoever has an access token, and asks the server nothing per request.
import express from "express";
import { createVerifier, VerifyError } from "latchkey-client/verify";

const issuer = "http://localhost:8080";
const verifier = createVerifier({ issuer, audience: issuer });

/** Answers for whoever may not be here, and leaves what the token says in `request.caller`. */
const signedIn = (required) => async (request, response, next) => {
  try {
    request.caller = await verifier.verify(request, required);
  } catch (error) {
    if (!(error instanceof VerifyError)) throw error;
    if (error.retryAfter !== null) response.set("Retry-After", String(error.retryAfter));
    return response.status(error.status).set("WWW-Authenticate", error.wwwAuthenticate).json({ message: error.message });
  }
  next();
};

const app = express();
app.get("/hello", signedIn({}), (request, response) => response.json({ hello: request.caller.sub }));
app.listen(8081, "127.0.0.1");
