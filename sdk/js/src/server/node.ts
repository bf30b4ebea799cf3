// Node's own requests and answers, made into those that handle knows.

import type { NodeRequest } from "./cookies.js";

/** What toNode needs of an `IncomingMessage`; Express and others add `originalUrl` and `body`. */
export interface NodeIncoming extends NodeRequest, AsyncIterable<unknown> {
  method?: string | undefined;
  /** Its path and query. */
  url?: string | undefined;
  /** The same, where a router has cut `url`. */
  originalUrl?: string;
  /** The fields of a form that was read already. */
  body?: unknown;
  /** Whether it was. */
  readableEnded?: boolean;
}

/** What toNode needs of a `ServerResponse`. */
export interface NodeOutgoing {
  statusCode: number;
  /** Adds a header beside those of its name. */
  appendHeader(name: string, value: string): unknown;
  /** Sends the answer. */
  end(body?: string): unknown;
}

/** Middleware of Node's http, of Express and of others. */
export type NodeHandler = (request: NodeIncoming, response: NodeOutgoing, next?: (error?: unknown) => void) => void;

/** Leaves the body of a request alone which is not for `handle`: others have to read it. */
export function toNode(handle: (request: Request) => Promise<Response | null>, baseUrl: string): NodeHandler {
  async function answer(incoming: NodeIncoming, outgoing: NodeOutgoing): Promise<boolean> {
    const address = incoming.originalUrl ?? incoming.url ?? "/";
    const response = URL.canParse(address, baseUrl) ? await handle(requestOf(incoming, new URL(address, baseUrl))) : null;
    if (!response) return false;
    outgoing.statusCode = response.status;
    for (const [name, value] of response.headers) outgoing.appendHeader(name, value);
    outgoing.end(await response.text());
    return true;
  }

  return (incoming, outgoing, next) => {
    answer(incoming, outgoing).then(
      (answered) => {
        if (answered) return;
        if (next) return next();
        outgoing.statusCode = 404;
        outgoing.end();
      },
      (error: unknown) => {
        if (next) return next(error);
        outgoing.statusCode = 500;
        outgoing.end();
      },
    );
  };
}

function requestOf(incoming: NodeIncoming, url: URL): Request {
  const { method = "GET" } = incoming;
  const headers = new Headers();
  for (const [name, value] of Object.entries(incoming.headers)) {
    if (value !== undefined && name[0] !== ":") headers.set(name, String(value));
  }
  if (method === "GET" || method === "HEAD") return new Request(url, { method, headers });
  return new Request(url, { method, headers, body: bodyOf(incoming), duplex: "half" } as RequestInit);
}

function bodyOf(incoming: NodeIncoming): ReadableStream<Uint8Array> | string {
  // What has read the form before us leaves its fields.
  if (incoming.readableEnded && incoming.body) return new URLSearchParams(incoming.body as Record<string, string>).toString();
  let parts: AsyncIterator<unknown> | undefined;
  return new ReadableStream(
    {
      async pull(controller) {
        parts ??= incoming[Symbol.asyncIterator]();
        const { done, value } = await parts.next();
        if (done) controller.close();
        else controller.enqueue(value as Uint8Array);
      },
    },
    { highWaterMark: 0 }, // nothing is read before somebody asks
  );
}
