import type { Attributes, Counter, Histogram, MeterProvider } from "@opentelemetry/api";
import { errorText } from "../../error-text.ts";
import type { Claim, TaskResult } from "../../store/contract.ts";
import { metaOf, type Trace } from "../task-meta.ts";

/** OpenTelemetry's API. Its types stay in this folder, so that Pawl can be used without the package. */
export type Api = typeof import("@opentelemetry/api");

/** Where the API keeps what was registered with it, whichever copy of the package did. */
const REGISTERED = Symbol.for("opentelemetry.js.api.1");

let loaded: Api | undefined;
let missing = false;

/**
 * OpenTelemetry, where the program has set it up; otherwise undefined. Without it the cost is one look-up of a symbol,
 * and the package need not be installed.
 */
export async function otel(): Promise<Api | undefined> {
  if (loaded !== undefined || hasNoOtel()) return loaded;
  try {
    loaded = await import("@opentelemetry/api");
  } catch {
    // Another package brought a copy of its own that we cannot reach.
    missing = true;
  }
  return loaded;
}

/** Whether it is known without waiting that `otel` gives nothing. */
function hasNoOtel(): boolean {
  return loaded === undefined && (missing || !(REGISTERED in globalThis));
}

export const SCOPE = "pawl";

/** Runs something as part of a trace that came from elsewhere. */
export async function within<T>(from: Trace | null, body: () => Promise<T>): Promise<T> {
  const api = from === null ? undefined : await otel();
  if (api === undefined || from === null) return await body();
  const { context, propagation, ROOT_CONTEXT } = api;
  return await context.with(propagation.extract(ROOT_CONTEXT, from), body);
}

/** The trace that is active now, as text; null where there is none. */
function activeTrace({ context, propagation }: Api): Trace | null {
  const carrier: Record<string, string> = {};
  propagation.inject(context.active(), carrier);
  return Object.keys(carrier).length === 0 ? null : carrier;
}

/** What is enqueued, in one call. */
export interface Sending {
  readonly name: string;
  readonly queue: string | null;
  /** Null where there are many. */
  readonly id: string | null;
}

/** What a call of enqueue is given: the trace to store with the tasks, and a way to say how many there were. */
export interface Sent {
  readonly trace: Trace | null;
  count(tasks: number): void;
}

const SILENT: Sent = { trace: null, count: () => {} };

/**
 * Stores tasks within a span of its own, of which their attempts will be children. Names and attributes are those of
 * OpenTelemetry's conventions for messaging.
 */
export function sending<T>(what: Sending, store: (sent: Sent) => Promise<T>): Promise<T> {
  return hasNoOtel() ? store(SILENT) : spannedSending(what, store);
}

async function spannedSending<T>(what: Sending, store: (sent: Sent) => Promise<T>): Promise<T> {
  const api = await otel();
  if (api === undefined) return await store(SILENT);
  const { name, queue, id } = what;
  const attributes: Attributes = {
    "messaging.system": "pawl",
    "messaging.operation.name": "send",
    "messaging.operation.type": "send",
    ...(queue === null ? {} : { "messaging.destination.name": queue }),
    ...(id === null ? {} : { "messaging.message.id": id }),
    "pawl.task.name": name,
  };
  const options = { kind: api.SpanKind.PRODUCER, attributes };
  return await api.trace.getTracer(SCOPE).startActiveSpan(`send ${name}`, options, async (span) => {
    let tasks = 1;
    try {
      const result = await store({
        trace: activeTrace(api),
        count: (given) => {
          tasks = given;
          span.setAttribute("messaging.batch.message_count", given);
        },
      });
      counted(api, tasks, { queue, name });
      return result;
    } catch (error) {
      span.setStatus({ code: api.SpanStatusCode.ERROR, message: errorText(error) });
      throw error;
    } finally {
      span.end();
    }
  });
}

/** Makes an attempt within a span of its own, in the trace that the task was enqueued in. */
export function processing(
  claim: Claim,
  run: (trace: Trace | null) => Promise<TaskResult | null>,
): Promise<TaskResult | null> {
  return hasNoOtel() ? run(null) : spanned(claim, run);
}

async function spanned(
  claim: Claim,
  run: (trace: Trace | null) => Promise<TaskResult | null>,
): Promise<TaskResult | null> {
  const api = await otel();
  if (api === undefined) return await run(null);
  const { context, propagation, trace, SpanStatusCode } = api;
  const { id, queue, name, worker, flow: group, meta } = claim.task;
  const parent = propagation.extract(api.ROOT_CONTEXT, metaOf(meta).trace ?? {});
  const attributes: Attributes = {
    "messaging.system": "pawl",
    "messaging.operation.name": "process",
    "messaging.operation.type": "process",
    "messaging.destination.name": queue,
    "messaging.message.id": id,
    ...(worker === null ? {} : { "messaging.client.id": worker }),
    ...(group === null ? {} : { "messaging.message.conversation_id": group }),
    "pawl.task.name": name,
    "pawl.task.attempt": claim.fence,
  };
  const options = { kind: api.SpanKind.CONSUMER, attributes };
  const span = trace.getTracer(SCOPE).startSpan(`process ${name}`, options, parent);
  const began = performance.now();
  let state = "lost";
  try {
    const result = await context.with(trace.setSpan(parent, span), () => run(activeTrace(api)));
    if (result !== null) {
      state = result.state;
      if ("error" in result) span.setStatus({ code: SpanStatusCode.ERROR, message: result.error });
    }
    return result;
  } finally {
    span.setAttribute("pawl.task.result", state);
    span.end();
    timed(api, (performance.now() - began) / 1_000, { queue, name, result: state });
  }
}

interface Instruments {
  readonly sent: Counter;
  readonly duration: Histogram;
}

/** A program may set up its metrics after its first task: instruments that were made before that measure nothing. */
const made = new WeakMap<MeterProvider, Instruments>();

function instruments({ metrics }: Api): Instruments {
  const provider = metrics.getMeterProvider();
  let known = made.get(provider);
  if (known === undefined) {
    const meter = provider.getMeter(SCOPE);
    known = {
      sent: meter.createCounter("messaging.client.sent.messages", {
        unit: "{message}",
        description: "Tasks that were enqueued.",
      }),
      duration: meter.createHistogram("messaging.process.duration", {
        unit: "s",
        description: "How long an attempt took.",
        advice: {
          explicitBucketBoundaries: [0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 10, 30, 60, 300, 1_800, 7_200],
        },
      }),
    };
    made.set(provider, known);
  }
  return known;
}

/** Counts tasks that were enqueued. */
function counted(api: Api, tasks: number, { queue, name }: { queue: string | null; name: string }): void {
  instruments(api).sent.add(tasks, {
    "messaging.system": "pawl",
    "messaging.operation.name": "send",
    ...(queue === null ? {} : { "messaging.destination.name": queue }),
    "pawl.task.name": name,
  });
}

/** Notes how long an attempt took. */
function timed(
  api: Api,
  seconds: number,
  { queue, name, result }: { queue: string; name: string; result: string },
): void {
  instruments(api).duration.record(seconds, {
    "messaging.system": "pawl",
    "messaging.operation.name": "process",
    "messaging.destination.name": queue,
    "pawl.task.name": name,
    "pawl.task.result": result,
  });
}
