import type { Counter, Histogram, MeterProvider } from "@opentelemetry/api";
import { type Api, SCOPE } from "./otel.ts";

interface Instruments {
  readonly sent: Counter;
  readonly duration: Histogram;
}

/** A program may set up its metrics after its first task: what was made before that measures nothing. */
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
export function counted(
  api: Api,
  tasks: number,
  { queue, name }: { queue: string | null; name: string },
): void {
  instruments(api).sent.add(tasks, {
    "messaging.system": "pawl",
    "messaging.operation.name": "send",
    ...(queue === null ? {} : { "messaging.destination.name": queue }),
    "pawl.task.name": name,
  });
}

/** Notes how long an attempt took. */
export function timed(
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
