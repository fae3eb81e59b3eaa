import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { errorReason } from "../../error-text.ts";
import { retry } from "../../retry.ts";
import { LONGEST_TIMER_MS } from "../../timers.ts";
import { firstLine } from "../options/module.ts";

const run = promisify(execFile);

/** Between two attempts to say that the service is up: without that, systemd ends it when its time to start is over. */
const AGAIN = { baseMs: 500, capMs: 5_000, jitter: "none" } as const;

/**
 * Tells systemd how this service is, where it asks: `READY=1`, `WATCHDOG=1` as often as it wants it, and `STOPPING=1`. The protocol is a
 * datagram to the Unix socket NOTIFY_SOCKET. Node has no such sockets, so `systemd-notify` sends it, which comes with systemd. The unit
 * needs `NotifyAccess=all`, because the sender is a process of its own. See sd_notify(3).
 */
export class SystemdNotifier {
  readonly #report: (sentence: string) => void;
  readonly #stop = new AbortController();
  #watchdog: NodeJS.Timeout | undefined;
  /** Says that the service is up. */
  #saying: Promise<void> | undefined;
  #failed = false;

  /** Null where no systemd asks. */
  static of(
    report: (sentence: string) => void,
    env: NodeJS.ProcessEnv = process.env,
  ): SystemdNotifier | null {
    return env.NOTIFY_SOCKET ? new SystemdNotifier(report) : null;
  }

  private constructor(report: (sentence: string) => void) {
    this.#report = report;
  }

  /** The service is up. From now on systemd starts it again when `isWell` says no, or when the event loop is blocked, for too long. */
  async ready(isWell: () => boolean, env: NodeJS.ProcessEnv = process.env): Promise<void> {
    await this.#sayReady();
    const { WATCHDOG_USEC: every, WATCHDOG_PID: pid } = env;
    const ms = Number(every) / 1_000;
    if (!(ms > 0) || (pid !== undefined && Number(pid) !== process.pid)) return;
    // Half of the time, as sd_watchdog_enabled(3) recommends.
    let isSending = false;
    const live = async () => {
      if (isSending || !isWell()) return;
      isSending = true;
      await this.#send("WATCHDOG=1");
      isSending = false;
    };
    this.#watchdog = setInterval(() => void live(), Math.min(ms / 2, LONGEST_TIMER_MS)).unref();
  }

  async stopping(): Promise<void> {
    clearInterval(this.#watchdog);
    this.#stop.abort();
    await this.#saying;
    await this.#send("STOPPING=1");
  }

  /** Says that the service is up until systemd has heard it, or the service stops. Resolves after the first attempt. */
  async #sayReady(): Promise<void> {
    const tried = Promise.withResolvers<void>();
    const attempt = async () => {
      const heard = await this.#send("READY=1");
      tried.resolve();
      if (!heard) throw new Error("systemd was not told.");
    };
    const policy = { ...AGAIN, isTransient: () => true, signal: this.#stop.signal };
    this.#saying = retry(attempt, policy).catch(() => {});
    await tried.promise;
  }

  /** False where it failed, which is reported once. */
  async #send(state: string): Promise<boolean> {
    try {
      await run("systemd-notify", [state], { timeout: 5_000 });
      return true;
    } catch (error) {
      if (!this.#failed) this.#report(`systemd cannot be told ${state}: ${reasonOf(error)}`);
      this.#failed = true;
      return false;
    }
  }
}

/** Why `systemd-notify` failed: what it says itself, since the error of Node only repeats the command. */
function reasonOf(error: unknown): string {
  const { code, killed, stderr } = error as { code?: unknown; killed?: boolean; stderr?: string };
  if (code === "ENOENT") return "there is no program systemd-notify in the PATH";
  if (killed) return "systemd-notify did not end within 5 seconds";
  return firstLine(stderr?.trim() || errorReason(error));
}
