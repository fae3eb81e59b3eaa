import * as threads from "node:worker_threads";

/**
 * Keeps an object from being sent to another thread. By name, an import would keep an older Node, which has no such function,
 * from getting as far as the sentence of node-version.ts.
 */
export function markAsUncloneable(value: object): void {
  threads.markAsUncloneable(value);
}
