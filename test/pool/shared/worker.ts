import { fork } from "node:child_process";
import { once } from "node:events";
import type { TestContext } from "node:test";
import { Worker as Thread } from "node:worker_threads";
import type { Isolation } from "../../../src/pool/transfer/cloneable.ts";
import { pack, unpack } from "../../../src/pool/transfer/pack.ts";
import type { Answer, Question } from "./fixtures/answer.ts";
import type { tasks } from "./fixtures/tasks.ts";

export type Task = keyof typeof tasks;

/** A thread or a process that does one task after the other. */
export interface Worker {
  /** What the task returned; throws what it threw. */
  ask(task: Task, ...args: unknown[]): Promise<unknown>;
  /** The same, for tasks that do not come back. */
  tell(task: Task, ...args: unknown[]): void;
  kill(): Promise<void>;
  readonly ended: Promise<unknown>;
}

export function thread(test: TestContext): Worker {
  const worker = new Thread(new URL("./fixtures/asked-thread.ts", import.meta.url));
  const ended = once(worker, "exit");
  const kill = async () => void (await worker.terminate());
  test.after(kill);
  return { ...talkTo("thread", worker, (question) => worker.postMessage(question)), kill, ended };
}

export function childProcess(test: TestContext): Worker {
  const child = fork(new URL("./fixtures/asked-process.ts", import.meta.url), { serialization: "advanced" });
  const ended = once(child, "exit");
  const kill = async () => {
    child.kill("SIGKILL");
    await ended;
  };
  test.after(kill);
  return { ...talkTo("process", child, (question) => void child.send(question)), kill, ended };
}

function talkTo(
  isolation: Isolation,
  events: NodeJS.EventEmitter,
  send: (question: Question) => void,
): Pick<Worker, "ask" | "tell"> {
  const tell = (task: Task, ...args: unknown[]) => send({ task, args: pack(args, isolation) });
  const ask = async (task: Task, ...args: unknown[]) => {
    const answered = once(events, "message");
    tell(task, ...args);
    const [answer] = (await answered) as [Answer];
    if ("error" in answer) throw Object.assign(answer.error as Error, { code: answer.code });
    return unpack(answer.value);
  };
  return { ask, tell };
}
