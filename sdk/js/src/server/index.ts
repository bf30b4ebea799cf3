// What `latchkey-client/server` exports: sign-in for a back end that serves a browser.

export { createServer, type LatchkeyServer } from "./server.js";
export { memoryStore, type SessionStore } from "./store.js";
export type { NodeRequest } from "./cookies.js";
export type { NodeHandler, NodeIncoming, NodeOutgoing } from "./node.js";
export type { ServerSession } from "./session.js";
export type { ServerOptions } from "./settings.js";
