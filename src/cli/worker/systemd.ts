import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { errorText } from "../../error-text.ts";

const run = promisify(execFile);

/**
 * Tells systemd how this service is, where it asks: `READY=1`, `WATCHDOG=1` as often as it wants it, and `STOPPING=1`. The protocol is a
 * datagram to the Unix socket NOTIFY_SOCKET. Node has no such sockets, so `systemd-notify` sends it, which comes with systemd. The unit
 * needs `NotifyAccess=all`, because the sender is a process of its own. See sd_notify(3).
 */
export class SystemdNotifier {
  readonly #report: (sentence: string) => void;
  #watchdog: NodeJS.Timeout | undefined;
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
    await this.#send("READY=1");
    const { WATCHDOG_USEC: every, WATCHDOG_PID: pid } = env;
    const ms = Number(every) / 1_000;
    if (!(ms > 0) || (pid !== undefined && Number(pid) !== process.pid)) return;
    // Half of the time, as sd_watchdog_enabled(3) recommends.
    this.#watchdog = setInterval(() => isWell() && void this.#send("WATCHDOG=1"), ms / 2).unref();
  }

  async stopping(): Promise<void> {
    clearInterval(this.#watchdog);
    await this.#send("STOPPING=1");
  }

  async #send(state: string): Promise<void> {
    try {
      await run("systemd-notify", [state], { timeout: 5_000 });
    } catch (error) {
      if (this.#failed) return;
      this.#failed = true;
      this.#report(
        `systemd cannot be told ${state}, because systemd-notify did not run: ${errorText(error, 200).split("\n", 1)[0]}`,
      );
    }
  }
}
