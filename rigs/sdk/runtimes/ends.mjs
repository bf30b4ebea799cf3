// A program that checks one token and has nothing to do any more, while the feed is polled.

import process from "node:process";
import { createVerifier } from "latchkey-client/verify";

const { ISSUER: issuer, SECRET: clientSecret, TOKEN } = process.env;
const verifier = createVerifier({ issuer, audience: issuer, feed: { clientId: "verifier", clientSecret } });
console.log((await verifier.verify(TOKEN)).email);
await (await fetch(issuer + "/waiting")).text(); // until a poll waits
console.log("over");
