// The simulated network: answers that take their time or never come, proxies, no network at all.

import type { Tab } from "./browser.js";
import type { Reply, Server } from "./server.js";
import type { Dice, Time } from "./time.js";

/** What became of the requests. */
export interface Traffic {
  sent: number;
  answered: number;
  dropped: number;
}

export class Network {
  /** The share of requests whose answer does not come, and of those that a proxy answers. */
  drops = 0;
  troubles = 0;
  offline = false;
  readonly traffic: Traffic = { sent: 0, answered: 0, dropped: 0 };
  /** Told of each refresh as it is sent, and of each answer as it arrives. */
  onSend: (tab: Tab, refreshToken: string) => void = () => {};
  onAnswer: (tab: Tab, refreshToken: string, reply: Reply) => void = () => {};
  onFailure: (tab: Tab, refreshToken: string) => void = () => {};
  private open = new Set<() => void>();

  constructor(
    private time: Time,
    private dice: Dice,
    private server: Server,
  ) {}

  /** Every connection breaks. */
  cut(): void {
    this.open.forEach((fail) => fail());
  }

  fetch(tab: Tab, url: string, init: RequestInit): Promise<Response> {
    const { time, dice, traffic } = this;
    const token = url.endsWith("/oauth/token")
      ? (init.body as URLSearchParams).get("refresh_token")!
      : JSON.parse(init.body as string).refreshToken;
    traffic.sent++;
    this.onSend(tab, token);
    return new Promise((resolve, reject) => {
      let over = false;
      const fail = () => {
        if (over) return;
        over = true;
        this.open.delete(fail);
        traffic.dropped++;
        tab.deliver(() => {
          this.onFailure(tab, token);
          reject(new TypeError("Failed to fetch"));
        });
      };
      this.open.add(fail);
      init.signal?.addEventListener("abort", fail);
      const arrives = (reply: Reply) => {
        if (over) return;
        over = true;
        this.open.delete(fail);
        tab.deliver(() => {
          traffic.answered++;
          this.onAnswer(tab, token, reply);
          resolve({
            ok: reply.status === 200,
            status: reply.status,
            headers: new Headers(reply.headers),
            text: () => Promise.resolve(reply.text),
          } as Response);
        });
      };
      const there = dice.between(20, 400);
      const back = dice.happens(0.02) ? dice.between(1000, 9000) : dice.between(20, 1600);
      const lost = dice.happens(this.drops);
      const how = dice.unit();
      if (this.offline) return void time.in(5, fail);
      if (lost && how < 0.3) return void (how < 0.15 && time.in(there, fail)); // before the server, at once or never
      if (dice.happens(this.troubles)) return void time.in(there + back, () => arrives(this.server.trouble()));
      time.in(there, () => {
        const reply = this.server.refresh(token);
        if (lost) return void (how < 0.7 && time.in(back, fail));
        time.in(back, () => arrives(reply));
      });
    });
  }
}
