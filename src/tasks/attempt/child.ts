/** What runs in a child: a thread or a process of a pool. Its store is its own, its writes carry the fence. */
import { isMainThread } from "node:worker_threads";
import { asError, errorText } from "../../error-text.ts";
import { LostError, PawlError } from "../../errors.ts";
import { callable, type ItemContext } from "../../pool/index.ts";
import { JsonText } from "../../store/internal.ts";
import { Client } from "../client/client.ts";
import { loading } from "../define/loading.ts";
import { taskNamed } from "../define/registry.ts";
import { within } from "../telemetry/otel.ts";
import { type ChildReply, type ChildRequest, type ChildSetup, STOP } from "./child-messages.ts";
import { CancelledError, SoftLimitError, StoppedError } from "./errors.ts";
import { FileLog } from "./log.ts";
import { ProgressWriter } from "./progress-writer.ts";
import { resultOfStray, runHandler } from "./run-handler.ts";
import { AttemptStrays, watchStrays } from "./strays.ts";

interface Child {
  readonly client: Client;
  readonly progress: ProgressWriter;
}

/** Runs once in each child. */
export const beginChild = callable(import.meta, async ({ modules, address }: ChildSetup): Promise<Child> => {
  // A service manager may ask all processes of a service to stop: when this one does is for the worker to say.
  if (isMainThread) process.on("SIGTERM", () => {});
  await loading(async () => {
    for (const module of modules) await import(module);
  });
  watchStrays();
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
    const strays = new AttemptStrays(client, abort, (error) => process.emitWarning(asError(error)));
    try {
      const around = { client, progress, log, stop: abort, strays };
      const result = await within(trace, () => runHandler(definition, claim, around));
      // A rejection that nobody handles is told of at the end of the turn in which it arose.
      await new Promise(setImmediate);
      const { first } = strays;
      if (result?.state !== "succeeded") return { result, value: null };
      if (first !== undefined) return { result: resultOfStray(first, definition, claim.task), value: null };
      const { value, ...success } = result;
      return { result: success, value: JsonText.of(value).text };
    } finally {
      strays.over();
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
