// The simulated browser: a device with its clock and sleep, storage that each process sees in its own time, tabs.

import { makeAsk } from "../../src/ask.js";
import { makeHolder, type Holder } from "../../src/session.js";
import type { StorageAdapter } from "../../src/types.js";
import { Network } from "./network.js";
import { issuer, options } from "./records.js";
import type { Server } from "./server.js";
import type { Dice, Time } from "./time.js";
import { shelfOf, Window } from "./window.js";

/** One browser of one person, with everything that is open in it. */
export class Device {
  readonly network: Network;
  readonly tabs: Tab[] = [];
  readonly storage: SharedStorage;
  asleep = false;
  /** This machine's clock less the true time. */
  clock = 0;
  private slept = 0;
  private sleptAt = 0;
  private woken: (() => void)[] = [];
  tabsOpened = 0;

  constructor(
    readonly time: Time,
    readonly dice: Dice,
    readonly server: Server,
    readonly where: "local" | "session" | "memory" | "adapter",
    /** Whether timers stand still in sleep, as they do on some systems. */
    readonly timersSleep: boolean,
    readonly channel = true,
  ) {
    this.network = new Network(time, dice, server);
    this.storage = new SharedStorage(this);
  }

  now(): number {
    return Math.floor(this.time.now + this.clock);
  }
  /** What timers go by. */
  steady(): number {
    const asleep = this.timersSleep ? this.slept + (this.asleep ? this.time.now - this.sleptAt : 0) : 0;
    return this.time.now - asleep;
  }
  sleep(): void {
    this.asleep = true;
    this.sleptAt = this.time.now;
    this.network.cut();
  }
  /** Goes on: late timers and what the system says of it come in any order. */
  wake(): void {
    this.slept += this.time.now - this.sleptAt;
    this.asleep = false;
    const told = this.dice.happens(0.5);
    const tell = () => this.living().forEach((tab) => this.dice.happens(0.7) && tab.tell(this.dice.one(["online", "visibilitychange", "pageshow"])));
    if (told) tell();
    this.woken.splice(0).forEach((run) => run());
    if (!told) tell();
  }
  /** Runs now, or when the device is awake again. */
  awake(run: () => void): void {
    if (this.asleep) this.woken.push(run);
    else run();
  }
  living(): Tab[] {
    return this.tabs.filter((tab) => !tab.closed);
  }
  open(session?: Map<string, string>): Tab {
    const tab = new Tab(this, session ?? new Map());
    this.tabs.push(tab);
    return tab;
  }
  post(from: Tab, text: string): void {
    for (const tab of this.living())
      if (tab !== from) this.time.in(this.dice.between(0, 20), () => tab.deliver(() => tab.window.hear(text)));
  }
}

/** A process of the browser: it sees what the others wrote a little later. */
export interface Process {
  view: Map<string, string>;
  delay: number;
  pending: Map<string, number>;
}

/** localStorage: each process writes to its own view; the order in which writes arrive is the order for all. */
export class SharedStorage {
  truth = new Map<string, string>();
  processes: Process[] = [];
  /** `full`: no more room than is taken. `broken`: every write fails. */
  trouble: "none" | "full" | "broken" = "none";
  /** Told of each write, with what the writer saw before. */
  onWrite: (tab: Tab, name: string, value: string, seen: string | null) => void = () => {};

  constructor(private device: Device) {}

  process(): Process {
    const { dice } = this.device;
    if (this.processes.length > 0 && dice.happens(0.5)) return dice.one(this.processes);
    const process = { view: new Map(this.truth), delay: dice.happens(0.5) ? dice.between(0, 2) : dice.between(2, 60), pending: new Map() };
    this.processes.push(process);
    return process;
  }

  write(process: Process, by: Tab, name: string, value: string | null): void {
    const old = process.view.get(name);
    if (value !== null) {
      const room = this.trouble === "broken" ? -1 : this.trouble === "full" ? (old?.length ?? this.freed) : Infinity;
      if (value.length > room) throw new Error("QuotaExceededError");
      if (this.trouble === "full" && old === undefined) this.freed -= value.length;
      this.onWrite(by, name, value, old ?? null);
      process.view.set(name, value);
    } else {
      if (this.trouble === "full") this.freed += old?.length ?? 0;
      process.view.delete(name);
    }
    process.pending.set(name, (process.pending.get(name) ?? 0) + 1);
    this.device.time.in(process.delay, () => this.arrive(process, by, name, value));
  }
  private freed = 0;

  private arrive(from: Process, by: Tab, name: string, value: string | null): void {
    if (value === null) this.truth.delete(name);
    else this.truth.set(name, value);
    from.pending.set(name, from.pending.get(name)! - 1);
    for (const process of this.processes)
      this.device.time.in(process === from ? 0 : process.delay, () => {
        if (process !== from && !process.pending.get(name)) {
          if (value === null) process.view.delete(name);
          else process.view.set(name, value);
        }
        // A page learns of it when it gets round to it.
        const { time, dice } = this.device;
        for (const tab of this.device.living())
          if (tab !== by && tab.process === process)
            time.in(dice.happens(0.3) ? dice.between(0, 1000) : 0, () => tab.deliver(() => tab.tell("storage", name)));
      });
  }
}

/** A page with one client in it. */
export class Tab {
  readonly process: Process;
  readonly number: number;
  readonly window: Window;
  readonly holder: Holder;
  closed = false;
  frozen = false;
  private kept: (() => void)[] = [];

  constructor(
    readonly device: Device,
    readonly session: Map<string, string>,
  ) {
    this.process = device.storage.process();
    this.number = ++device.tabsOpened;
    const { where, channel, network, dice } = device;
    this.window = new Window({
      now: () => device.now(),
      after: (ms, run) => this.after(ms, run),
      fetch: (url, init) => network.fetch(this, url, init),
      local: this.local(),
      session: this.own(),
      post: (text) => device.post(this, text),
      byte: () => Math.floor(dice.unit() * 256),
    });
    const { env } = this.window;
    const storage = where === "adapter" ? this.adapter() : where;
    this.holder = makeHolder({ ...options, channel, storage }, env, makeAsk(issuer, env));
  }
  close(): void {
    this.closed = true;
    this.holder.dispose();
  }
  freeze(): void {
    this.frozen = true;
  }
  thaw(): void {
    if (!this.frozen) return;
    this.frozen = false;
    if (this.device.dice.happens(0.8)) this.tell("resume");
    this.kept.splice(0).forEach((run) => this.deliver(run));
  }
  /** Runs now, or when the tab can run. */
  deliver(run: () => void): void {
    this.device.awake(() => {
      if (this.closed) return;
      if (this.frozen) return void this.kept.push(run);
      this.device.time.stirred = true;
      run();
    });
  }
  tell(what: string, key?: string): void {
    if (this.frozen || this.closed) return;
    this.device.time.stirred = true;
    this.window.tell(what, { key });
  }
  view(name: string): string | null {
    const { where } = this.device;
    const { storage } = this.device;
    return (where === "adapter" ? storage.truth : where === "local" ? this.process.view : this.session).get(name) ?? null;
  }

  private local(): StorageAdapter {
    const { storage } = this.device;
    return {
      getItem: (name) => this.process.view.get(name) ?? null,
      setItem: (name, value) => storage.write(this.process, this, name, value),
      removeItem: (name) => storage.write(this.process, this, name, null),
    };
  }
  /** A place of the app's own: each call takes a while, and nothing tells of another tab's. */
  private adapter(): StorageAdapter {
    const { time, dice, storage } = this.device;
    const later = <T>(run: () => T) =>
      new Promise<T>((resolve, reject) =>
        time.in(dice.between(0, 5), () =>
          this.deliver(() => {
            try {
              resolve(run());
            } catch (error) {
              reject(error);
            }
          }),
        ),
      );
    return {
      getItem: (name) => later(() => storage.truth.get(name) ?? null),
      setItem: (name, value) =>
        later(() => {
          if (storage.trouble !== "none") throw new Error("full");
          storage.truth.set(name, value);
        }),
      removeItem: (name) => later(() => void storage.truth.delete(name)),
    };
  }

  private own(): StorageAdapter {
    const plain = shelfOf(this.session);
    return {
      ...plain,
      setItem: (name, value) => {
        if (this.device.storage.trouble === "broken") throw new Error("QuotaExceededError");
        plain.setItem(name, value);
      },
    };
  }
  private after(ms: number, run: () => void): () => void {
    const { device } = this;
    const at = device.steady() + ms;
    let live = true;
    let cancel: () => void;
    const wait = () => {
      cancel = device.time.in(at - device.steady(), () =>
        this.deliver(() => {
          if (!live) return;
          if (at - device.steady() > 1) wait();
          else run();
        }),
      );
    };
    wait();
    return () => {
      live = false;
      cancel();
    };
  }
}
