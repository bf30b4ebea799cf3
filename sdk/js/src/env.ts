// What the core needs of a browser's window, so that tests bring another.

/** localStorage or sessionStorage. */
export type Shelf = Storage;

/** The members of a window that are used. Where there is no document, as on a server, only clock, timers and fetch are. */
export interface Env {
  Date: { now(): number };
  crypto: { getRandomValues(bytes: Uint8Array<ArrayBuffer>): Uint8Array; subtle?: Pick<SubtleCrypto, "digest"> };
  setTimeout(run: () => void, ms: number): unknown;
  clearTimeout(timer: any): void;
  fetch(request: string | Request, init?: RequestInit): Promise<Response>;
  BroadcastChannel: new (name: string) => Pick<BroadcastChannel, "onmessage" | "postMessage" | "close">;
  /** Reading these two throws where the browser's owner allows no storage. */
  readonly localStorage?: Shelf;
  readonly sessionStorage?: Shelf;
  document?: { readonly baseURI: string };
  location: { readonly origin: string; readonly href: string; assign(url: string): void; replace(url: string): void };
  history: { readonly state: any; replaceState(state: unknown, unused: string, url: URL): void };
  addEventListener(name: string, hear: (event: any) => void, options: AddEventListenerOptions): void;
}

/** What a window keeps under that name; undefined where it gives the page none. */
export function shelf(env: Env, name: string): Shelf | undefined {
  try {
    return env[name as "localStorage"];
  } catch {
    return; // by the browser's settings
  }
}

/** base64url, without padding, of that many random bytes. */
export function secret(env: Env, bytes: number): string {
  return base64url(env.crypto.getRandomValues(new Uint8Array(bytes)));
}

/** base64url without padding (RFC 4648, section 5). */
export function base64url(bytes: Uint8Array): string {
  return btoa(String.fromCharCode(...bytes))
    .replace(/\+/g, "-")
    .replace(/\//g, "_")
    .replace(/=/g, "");
}
