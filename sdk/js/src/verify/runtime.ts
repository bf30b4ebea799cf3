// What differs between runtimes: Node, Deno and Bun have sockets and timers that keep no process alive, workerd has none.

/** workerd, where each request has its own I/O: a promise that waits for another request's answer never ends. */
export const isWorkerd = () => globalThis.navigator?.userAgent === "Cloudflare-Workers";

/** Whether less than so many milliseconds have passed since a time. A clock that was set back has passed any. */
export function within(time: number, ms: number): boolean {
  const age = Date.now() - time;
  return age >= 0 && age < ms;
}

export const second = 1000;
export const hour = 3600 * second;

/** What asks and waits in the background. No process stays for it, and nothing but `end` ends it. */
export interface Background {
  /** The body of a 200. Takes `patience` milliseconds at most. */
  get(url: URL, authorization: string, patience: number): Promise<string>;
  sleep(ms: number): Promise<void>;
  /** Rejects or ends what waits, and closes the connection. */
  end(): void;
}

/** What is used of Node's modules http, https and timers, which Deno and Bun have as well. */
interface Http {
  request(url: URL, options: { agent: Agent; headers: Record<string, string> }, answered: (answer: Incoming) => void): Outgoing;
  Agent: new (options: { keepAlive: boolean; maxSockets: number }) => Agent;
}
interface Agent {
  destroy(): void;
}
interface Incoming {
  statusCode?: number;
  setEncoding(name: string): void;
  on(event: "data", hear: (text: string) => void): void;
  on(event: "end" | "close", hear: () => void): void;
  on(event: "error", hear: (error: unknown) => void): void;
}
interface Outgoing {
  on(event: "socket", hear: (socket: { unref(): void }) => void): void;
  on(event: "error", hear: (error: unknown) => void): void;
  destroy(): void;
  end(): void;
}
interface Timers {
  setTimeout(run: () => void, ms: number): { unref(): void };
  clearTimeout(timer: unknown): void;
}

/** Null where there is nothing of the kind. An answer has as many bytes as `longest` at most. */
export function background(protocol: string, longest: number): Background | null {
  const { process } = globalThis as { process?: { getBuiltinModule?(name: string): unknown } };
  if (!process?.getBuiltinModule || isWorkerd()) return null;
  const http = process.getBuiltinModule(protocol === "https:" ? "node:https" : "node:http") as Http;
  const timers = process.getBuiltinModule("node:timers") as Timers;
  const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
  const waiting = new Set<() => void>();

  function after(ms: number, run: () => void): () => void {
    const timer = timers.setTimeout(run, ms);
    timer.unref();
    return () => timers.clearTimeout(timer);
  }

  function get(url: URL, authorization: string, patience: number): Promise<string> {
    return new Promise((resolve, reject) => {
      const fail = (error: unknown) => {
        if (!over()) return;
        asked.destroy();
        reject(error);
      };
      const cancel = after(patience, () => fail(new Error(`${url.origin} has not answered within ${patience / second} s`)));
      const stop = () => fail(new Error("the verifier is closed"));
      const over = () => (cancel(), waiting.delete(stop)); // true once
      waiting.add(stop);
      const asked = http.request(url, { agent, headers: { Authorization: authorization } }, (answer) => {
        if (answer.statusCode !== 200) return fail(new Error(refusal(answer.statusCode)));
        let text = "";
        answer.setEncoding("latin1"); // of a JWT, each byte is a character
        answer.on("data", (more) => (text += more).length > longest && fail(new Error(`the answer is longer than ${longest} bytes`)));
        answer.on("end", () => over() && resolve(text));
        answer.on("error", fail);
        answer.on("close", () => fail(new Error("the answer is not whole")));
      });
      asked.on("socket", (socket) => socket.unref());
      asked.on("error", fail);
      asked.end();
    });
  }

  function sleep(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const wake = () => {
        cancel();
        waiting.delete(wake);
        resolve();
      };
      const cancel = after(ms, wake);
      waiting.add(wake);
    });
  }

  function end(): void {
    for (const stop of waiting) stop();
    agent.destroy();
  }

  return { get, sleep, end };
}

/** Of an answer that is not 200. */
function refusal(status = 0): string {
  if (status === 401) return "401: the issuer has no such client, or another secret for it";
  if (status === 403) return "403: the issuer's clients file does not say feed = true of the client";
  return `the issuer answers ${status}`;
}
