import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { PawlError } from "../../errors.ts";
import type { Isolation } from "../transfer/cloneable.ts";
import { serveInProcess, startProcess } from "./process.ts";
import type {
  Entry,
  FromWorker,
  HeapLimits,
  MessageListener,
  Setup,
  ToWorker,
  WorkerChannel,
} from "./protocol.ts";
import { serveInThread, startThread } from "./thread.ts";

/** Left by the code that starts a worker from a bundle. */
interface Boot {
  readonly kind: Isolation;
  serve?: () => void;
}

const BOOT = "pawl.boot";
const boot = (globalThis as { [key: symbol]: Boot | undefined })[Symbol.for(BOOT)];

// A worker was started from a bundle, which it imports: it finds here how to serve.
if (boot !== undefined) {
  boot.serve ??= boot.kind === "thread" ? serveInThread : serveInProcess;
}

/** Starts a thread or a process. Throws where it cannot be started. */
export function startWorker<To = ToWorker, From = FromWorker>(
  isolation: Isolation,
  setup: Setup,
  limits: HeapLimits,
  listener: MessageListener<From>,
): WorkerChannel<To> {
  const start = isolation === "thread" ? startThread : startProcess;
  return start(entryOf(isolation), setup, limits, listener as MessageListener<unknown>);
}

const entries = new Map<Isolation, Entry>();

/**
 * What a worker runs first: its own file, or where a bundler has put this one elsewhere, the bundle, which is imported
 * like the module of a callable. Throws a PawlError where that is not an ES module.
 */
export function entryOf(kind: Isolation): Entry {
  const known = entries.get(kind);
  if (known !== undefined) return known;
  const here: unknown = import.meta.url;
  if (typeof here !== "string") {
    throw new PawlError(
      "pool.bundle",
      "A pool cannot find its own code, which was bundled as CommonJS: have the bundler write ES modules.",
    );
  }
  // The files of the sources and of the built package differ in the extension alone.
  const url = new URL(`./pool-${kind}${here.slice(-3)}`, here);
  const file = fileURLToPath(url);
  let entry: Entry = { file };
  if (!existsSync(file)) entry = { code: codeFor(kind, here) };
  // Threads are told what Node was told, which may be that the program is a text of some type: then no file will do.
  else if (kind === "thread" && process.execArgv.some((each) => each.startsWith("--input-type"))) {
    entry = { code: `import(${JSON.stringify(url.href)})` };
  }
  entries.set(kind, entry);
  return entry;
}

/** Imports the bundle in the state that callable.ts knows as loading, in which no pool may be used. */
function codeFor(kind: Isolation, bundle: string): string {
  const url = JSON.stringify(bundle);
  return `
    const { AsyncLocalStorage } = process.getBuiltinModule("node:async_hooks");
    const boot = (globalThis[Symbol.for(${JSON.stringify(BOOT)})] = { kind: ${JSON.stringify(kind)} });
    const loading = new AsyncLocalStorage();
    globalThis[Symbol.for("pawl.callables")] = { modules: new Map(), positions: new WeakMap(), loading };
    loading.run(${url}, () => import(${url})).then(() => boot.serve());
  `;
}
