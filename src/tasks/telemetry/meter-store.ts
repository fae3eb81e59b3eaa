import { assertMethods } from "../../arguments.ts";
import type { Store } from "../../store/contract.ts";
import { figuresOf } from "./figures.ts";
import { otel, SCOPE } from "./otel.ts";

/**
 * Gives OpenTelemetry the figures of a store that `metricsText` gives Prometheus, such as `pawl.queue.oldest.seconds`,
 * whenever its reader asks. Set up the SDK first, and do this in one process: each that does reports the same. Returns
 * the way to stop; does nothing where no SDK is set up.
 */
export async function meterStore(store: Store): Promise<() => void> {
  assertMethods(store, "queues", "meterStore needs an open store");
  const api = await otel();
  if (api === undefined) return () => {};
  const meter = api.metrics.getMeterProvider().getMeter(SCOPE);
  const observables = (await figuresOf(store)).map(({ name, help, type }) => {
    const options = { description: help };
    const dotted = name.replaceAll("_", ".");
    return type === "counter"
      ? meter.createObservableCounter(dotted, options)
      : meter.createObservableGauge(dotted, options);
  });
  const observe: Parameters<typeof meter.addBatchObservableCallback>[0] = async (result) => {
    for (const [at, { values }] of (await figuresOf(store)).entries()) {
      const observable = observables[at];
      if (observable === undefined) continue;
      for (const [labels, value] of values) result.observe(observable, value, { ...labels });
    }
  };
  meter.addBatchObservableCallback(observe, observables);
  return () => meter.removeBatchObservableCallback(observe, observables);
}
