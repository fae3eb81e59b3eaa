import type { Attributes } from "@opentelemetry/api";
import { errorText } from "../../error-text.ts";
import type { Claim, TaskResult } from "../../store/contract.ts";
import { metaOf } from "../flow/spec.ts";
import { counted, timed } from "./instruments.ts";
import { activeTrace, hasNoOtel, otel, SCOPE } from "./otel.ts";
import type { Trace } from "./trace.ts";

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
