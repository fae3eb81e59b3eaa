/**
 * The code that runs in a child: a thread or a process of a pool. A child opens a store of its own; its writes carry
 * the fence.
 */
import { isMainThread } from "node:worker_threads";
import { asError, errorText } from "../../error-text.ts";
import { LostError, PawlError } from "../../errors.ts";
import { callable, type ItemContext } from "../../pool/index.ts";
import type { Claim, TaskResult } from "../../store/contract.ts";
import { JsonText } from "../../store/internal.ts";
import { Client } from "../client/client.ts";
import { loading, taskNamed } from "../define/registry.ts";
import type { Trace } from "../task-meta.ts";
import { within } from "../telemetry/otel.ts";
import { runHandler } from "./attempt.ts";
import { CancelledError, SoftLimitError, StoppedError } from "./errors.ts";
import { FileLog } from "./log.ts";
import { ProgressWriter } from "./progress-writer.ts";
import { resultOfUnhandled } from "./result.ts";
import { catchUnhandledErrors, UnhandledErrors } from "./unhandled-errors.ts";

interface Child {
  readonly client: Client;
  readonly progress: ProgressWriter;
}

/** Runs once in each child. */
export const beginChild = callable(import.meta, async ({ modules, address }: ChildSetup): Promise<Child> => {
  // A service manager may send SIGTERM to all processes of a service; the worker decides when its children end.
  if (isMainThread) process.on("SIGTERM", () => {});
  await loading(async () => {
    for (const module of modules) await import(module);
  });
  catchUnhandledErrors();
  const client = new Client(address);
  return { client, progress: new ProgressWriter(() => client.store()) };
});

/** Makes one attempt. */
export const runInChild = callable(
  import.meta,
  async (request: ChildRequest, { signal: asked, init }: ItemContext<Child>): Promise<ChildReply> => {
    const { claim, trace, softMs } = request;
    const { name } = claim.task;
    const known = taskNamed(name);
    if (known === undefined) {
      throw new PawlError(
        "task.not-in-module",
        `A child finds no task "${name}" in its module: define it at the top level there, or name the module that does with module: import.meta.`,
      );
    }
    const { definition } = known;
    const { client, progress } = init;
    const abort = new AbortController();
    asked.addEventListener("abort", () => abort.abort(reasonOf(asked.reason, softMs)), { once: true });
    const log = new FileLog(request.log);
    const unhandled = new UnhandledErrors(client, abort, (error) => process.emitWarning(asError(error)));
    try {
      const around = { client, progress, log, stop: abort, unhandled };
      const result = await within(trace, () => runHandler(definition, claim, around));
      // An unhandled rejection is reported at the end of the turn in which it arose.
      await new Promise(setImmediate);
      const { first } = unhandled;
      if (result?.state !== "succeeded") return { result, value: null };
      if (first !== undefined)
        return { result: resultOfUnhandled(first, definition, claim.task), value: null };
      const { value, ...success } = result;
      return { result: success, value: JsonText.of(value).text };
    } finally {
      unhandled.over();
      log.close();
    }
  },
);

function reasonOf(reason: unknown, softMs: number | null): Error {
  const said = errorText(reason);
  if (said === STOP.cancelled) return new CancelledError();
  if (said === STOP.stopped) return new StoppedError();
  if (said === STOP.lost) return new LostError("Another worker has taken the task over.");
  return new SoftLimitError(softMs ?? 0);
}

/** What a child is started with. */
export interface ChildSetup {
  /** The URLs of the modules that define the tasks. */
  readonly modules: readonly string[];
  /** The address of the store, which a child opens when it first writes. */
  readonly address: string;
}

/** One attempt for a child. */
export interface ChildRequest {
  readonly claim: Claim;
  /** The trace of the attempt itself. */
  readonly trace: Trace | null;
  /** The file that the attempt's log goes to. */
  readonly log: string;
  readonly softMs: number | null;
}

/** The result of the attempt. The value of a success is sent as JSON, because a copy of an object loses its class. */
export interface ChildReply {
  readonly result: TaskResult | null;
  readonly value: string | null;
}

/** Why an attempt should stop, in the words that cross to the child. */
export const STOP = {
  cancelled: "pawl: cancelled",
  stopped: "pawl: the worker stops",
  lost: "pawl: another worker has the task",
} as const;
