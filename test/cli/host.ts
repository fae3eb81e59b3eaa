import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import type { Outcome } from "./scene.ts";

/** A command, as a process of its own would be given it. */
export interface Order {
  readonly args: readonly string[];
  readonly cwd: string;
  readonly env: Readonly<Record<string, string | undefined>>;
}

const HOST = new URL("./fixtures/host.ts", import.meta.url);

const free: ChildProcess[] = [];

/**
 * Runs a command in a process in which others ran before: to start one and to load its modules costs more than most
 * commands. For what a command says and does; where it has to be a process of its own, such as one that is killed, it is.
 */
export async function runInHost(order: Order): Promise<Outcome> {
  const host = free.pop() ?? fork(HOST, { stdio: ["ignore", "inherit", "inherit", "ipc"] });
  hold(host, true);
  const answered = once(host, "message");
  const settled = new AbortController();
  const ended = once(host, "exit", { signal: settled.signal }).then(([code, signal]) => {
    throw new Error(`The process that ran pawl ${order.args.join(" ")} ended with ${code ?? signal}.`);
  });
  // It ends with this process, when no one waits for it any more.
  ended.catch(() => {});
  host.send(order);
  const [outcome] = await Promise.race([answered, ended]);
  settled.abort();
  hold(host, false);
  free.push(host);
  return outcome as Outcome;
}

/** Whether this process waits for it. It ends when this process has ended. */
function hold(host: ChildProcess, held: boolean): void {
  for (const one of [host, host.channel]) held ? one?.ref() : one?.unref();
}
