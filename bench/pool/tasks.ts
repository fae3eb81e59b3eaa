import { callable } from "../../dist/pool/index.js";

/** The published comparison's work: the sum of an item's bytes. */
export function sumOf(bytes: Uint8Array): number {
  let sum = 0;
  for (let at = 0; at < bytes.length; at++) sum += bytes[at] as number;
  return sum;
}

function spinFor(ms: number): number {
  const until = performance.now() + ms;
  while (performance.now() < until);
  return ms;
}

export const sum = callable(import.meta, sumOf);
export const spin = callable(import.meta, spinFor);

/** What the peers load: one function a file. */
export default sumOf;
