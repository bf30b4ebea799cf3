// Where the record and the sign-out mark are kept, and how a write is taken back.

import { parsed } from "./ask.js";
import { sound, type Stored } from "./stored.js";
import type { StorageAdapter } from "./types.js";

/** With an adapter that does not promise, each of these is done before another task begins. None rejects. */
export interface Keep {
  /** Sids that ended, with the time: those of the mark as it was last read, and those that were heard of. */
  readonly ended: Record<string, number>;
  /** Reads the record, and the mark. */
  read(): Promise<Stored | null>;
  /** False where storage would not take the record: then it holds none. A marked session's record is taken back. */
  write(stored: Stored): Promise<boolean>;
  /** Marks all of `ended`, 30 days and the newest 20, and removes this one's record. */
  end(sid: string, now: number): Promise<void>;
}

const monthly = 30 * 86_400_000;

export function makeKeep(adapter: StorageAdapter, key: string): Keep {
  const markKey = key + ":ended";
  const ended: Keep["ended"] = {};

  async function get(name: string): Promise<any> {
    try {
      return parsed(await adapter.getItem(name));
    } catch {
      return null;
    }
  }
  async function set(name: string, value?: unknown): Promise<boolean> {
    try {
      await (value ? adapter.setItem(name, JSON.stringify(value)) : adapter.removeItem(name));
      return true;
    } catch {
      return false;
    }
  }
  const marks = async (): Promise<Keep["ended"]> => Object.assign(ended, (await get(markKey))?.ended);

  return {
    ended,
    async read() {
      const stored = sound(await get(key)); // before the mark: who ends writes that first
      await marks();
      return stored;
    },
    async write(stored) {
      const { sid } = stored;
      if ((await marks())[sid]) return true;
      const done = (await set(key, stored)) || ((await set(key)) && (await set(key, stored)));
      if ((await marks())[sid] && (await get(key))?.sid === sid) await set(key);
      return done;
    },
    async end(sid, now) {
      const mark = async () => {
        const kept = Object.entries(await marks())
          .filter(([, at]) => typeof at === "number" && now - at < monthly)
          .sort((a, b) => b[1] - a[1])
          .slice(0, 20);
        return set(markKey, { v: 1, ended: Object.fromEntries(kept) });
      };
      const marked = await mark();
      if ((await get(key))?.sid === sid) await set(key);
      if (!marked) await mark(); // there may be room now
    },
  };
}

/** Storage of this page alone. */
export function memory(): StorageAdapter {
  const kept: Record<string, string> = {};
  return {
    getItem: (key) => kept[key] ?? null,
    setItem: (key, value) => void (kept[key] = value),
    removeItem: (key) => void delete kept[key],
  };
}
