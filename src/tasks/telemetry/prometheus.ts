import { assertMethods } from "../../arguments.ts";
import { PawlError } from "../../errors.ts";
import type { Store } from "../../store/contract.ts";
import { figuresOf } from "./figures.ts";

/**
 * The figures of a store as text for Prometheus: queue depths, ages and rates, workers, schedules. Serve it under `/metrics`
 * with the content type `metricsType`. Any process may serve it, since the figures are those of the store and not of the
 * process. It needs the package prom-client.
 *
 * @throws PawlError `metrics.package` where prom-client is not installed, `argument.methods` where `store` is not an open store
 * @example
 * ```ts
 * import { createServer } from "node:http";
 * import { openStore } from "pawl/store";
 * const store = await openStore(".pawl/store.db");
 * createServer(async (_, response) => {
 *   response.setHeader("content-type", metricsType).end(await metricsText(store));
 * }).listen(9400);
 * ```
 */
export async function metricsText(store: Store): Promise<string> {
  assertMethods(store, "queues", "metricsText needs an open store");
  const { Counter, Gauge, Registry } = await promClient();
  const registry = new Registry();
  for (const { name, help, type, labels, values } of await figuresOf(store)) {
    const options = { name, help, labelNames: [...labels], registers: [registry] };
    if (type === "counter") {
      const counter = new Counter(options);
      for (const [of, value] of values) counter.inc({ ...of }, value);
    } else {
      const gauge = new Gauge(options);
      for (const [of, value] of values) gauge.set({ ...of }, value);
    }
  }
  return await registry.metrics();
}

/** The content type with which to serve `metricsText`. */
export const metricsType = "text/plain; version=0.0.4; charset=utf-8";

async function promClient(): Promise<typeof import("prom-client")> {
  try {
    return (await import("prom-client")).default;
  } catch (error) {
    if ((error as { code?: unknown }).code !== "ERR_MODULE_NOT_FOUND") throw error;
    throw new PawlError(
      "metrics.package",
      "The text for Prometheus is written by a package that is not installed: npm install prom-client.",
    );
  }
}
