import { setTimeout as sleep } from "node:timers/promises";
import pg from "pg";
import { destroyClient } from "../../postgres-client.ts";
import { backoffDelay } from "../../retry.ts";
import type { Address } from "./address.ts";

/** How long to wait before a broken connection is opened again. */
const RECONNECT = { baseMs: 50, capMs: 5_000, jitter: "equal" } as const;
/** How long a notification may take to arrive before the connection counts as one that passes none on. */
const PROBE_MS = 2_000;
/** When to try again behind a pooler that passes no notifications on: it may be replaced by one that does. */
const NO_NOTIFICATIONS_MS = 60_000;

export interface ListenerEvents {
  onNotification(channel: string, payload: string): void;
  /** Notifications arrive from now on, or no longer. */
  onReliable(yes: boolean): void;
  /** Sends a notification from another connection, to see whether it comes. */
  probe(channel: string, payload: string): Promise<void>;
}

/** Listens to channels on a connection of its own, and opens that again whenever it breaks. */
export class Listener {
  readonly #address: Address;
  readonly #channels: readonly string[];
  readonly #events: ListenerEvents;
  readonly #stop = new AbortController();
  #answered: ((payload: string) => void) | undefined;
  readonly done: Promise<void>;

  constructor(address: Address, channels: readonly string[], events: ListenerEvents) {
    this.#address = address;
    this.#channels = channels;
    this.#events = events;
    this.done = this.#run();
  }

  async close(): Promise<void> {
    this.#stop.abort();
    await this.done;
  }

  async #run(): Promise<void> {
    for (let failures = 1; !this.#stop.signal.aborted; failures++) {
      const end = await this.#listen();
      this.#events.onReliable(false);
      if (end === "lost") failures = 1;
      const ms = end === "no-notifications" ? NO_NOTIFICATIONS_MS : backoffDelay(failures, RECONNECT);
      await sleep(ms, undefined, { signal: this.#stop.signal, ref: false }).catch(() => {});
    }
  }

  /** Listens until the connection breaks (`lost`), cannot be made (`failed`), or turns out to pass no notifications on. */
  async #listen(): Promise<"lost" | "failed" | "no-notifications"> {
    const client = new pg.Client({
      connectionString: this.#address.server,
      application_name: "pawl listener",
      connectionTimeoutMillis: 10_000,
      keepAlive: true,
      keepAliveInitialDelayMillis: 10_000,
    });
    const { promise: broken, resolve: end } = Promise.withResolvers<"end">();
    for (const event of ["error", "end"] as const) client.on(event, () => end("end"));
    this.#stop.signal.addEventListener("abort", () => end("end"), { once: true });
    client.on("notification", ({ channel, payload = "" }) => {
      this.#answered?.(payload);
      this.#events.onNotification(channel, payload);
    });
    try {
      const reached = await Promise.race([broken, this.#prepare(client, broken)]);
      if (reached === "end") return "failed";
      if (reached === "no-notifications") return reached;
      this.#events.onReliable(true);
      await broken;
      return "lost";
    } catch {
      return "failed";
    } finally {
      destroyClient(client);
    }
  }

  async #prepare(client: pg.Client, broken: Promise<"end">): Promise<"ready" | "no-notifications"> {
    await client.connect();
    // It must not keep a process alive that has nothing else to do.
    (client as unknown as { unref(): void }).unref();
    const { rows } = await client.query<{ pid: number }>("SELECT pg_backend_pid() AS pid");
    for (const channel of this.#channels) await client.query(`LISTEN ${channel}`);
    // Behind a pooler the process that answers is not the one that the server named when the connection was made.
    const direct = rows[0]?.pid === (client as unknown as { processID: number }).processID;
    return direct || (await this.#notificationsArrive(broken)) ? "ready" : "no-notifications";
  }

  /** Whether a notification that another connection sends arrives here. */
  async #notificationsArrive(broken: Promise<"end">): Promise<boolean> {
    const payload = `probe ${Math.random()}`;
    const arrived = Promise.withResolvers<boolean>();
    this.#answered = (received) => received === payload && arrived.resolve(true);
    const timer = setTimeout(() => arrived.resolve(false), PROBE_MS);
    try {
      await this.#events.probe(this.#channels[0] ?? "", payload);
      return await Promise.race([arrived.promise, broken.then(() => false)]);
    } finally {
      clearTimeout(timer);
      this.#answered = undefined;
    }
  }
}
