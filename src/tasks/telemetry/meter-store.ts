import { assertMethods } from "../../arguments.ts";
import type { Store } from "../../store/contract.ts";
import { figuresOf } from "./figures.ts";
import { otel, SCOPE } from "./otel.ts";

/**
 * Reports the figures of a store to OpenTelemetry whenever its reader collects: those that `metricsText` gives Prometheus, such as
 * `pawl.queue.oldest.seconds`. Set up the SDK first; without one this does nothing. Call it in one process, because each
 * process that calls it reports the same figures.
 *
 * @returns a function that stops the reports
 * @throws PawlError `argument.methods` where `store` is not an open store
 * @example
 * ```ts
 * import { openStore } from "pawl/store";
 * await using store = await openStore(".pawl/store.db");
 * const stop = await meterStore(store);
 * process.once("SIGTERM", stop);
 * ```
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
