import type { DelayedCall } from "./call.ts";

/**
 * The calls that some results need, each once, numbered as a depth-first evaluation would make them: what a call needs has a smaller
 * number. Of the calls that can be made, the one with the smallest number is made first, so that few results wait at a time.
 */
export interface Plan {
  readonly calls: readonly DelayedCall[];
  /** The number of a call. */
  readonly numbers: ReadonlyMap<DelayedCall, number>;
  /** By number: the calls that need its result, by their numbers in ascending order. */
  readonly users: readonly (readonly number[])[];
}

/** Walks without recursion: a chain may be as long as memory allows. */
export function planFor(outputs: readonly DelayedCall[]): Plan {
  const calls: DelayedCall[] = [];
  const numbers = new Map<DelayedCall, number>();
  const open: { readonly call: DelayedCall; next: number }[] = [];
  for (const output of outputs) {
    if (numbers.has(output)) continue;
    open.push({ call: output, next: 0 });
    for (let top = open.at(-1); top !== undefined; top = open.at(-1)) {
      const need = top.call.taken.needs[top.next++];
      if (need === undefined) {
        open.pop();
        numbers.set(top.call, calls.length);
        calls.push(top.call);
      } else if (!numbers.has(need)) open.push({ call: need, next: 0 });
    }
  }
  const users: number[][] = calls.map(() => []);
  for (const [number, call] of calls.entries())
    for (const need of call.taken.needs) users[numbers.get(need) as number]?.push(number);
  return { calls, numbers, users };
}

/** Calls that can be made, of which the one with the smallest number is taken first: a binary heap. */
export class ReadyCalls {
  readonly #numbers: number[] = [];

  get size(): number {
    return this.#numbers.length;
  }

  add(number: number): void {
    const heap = this.#numbers;
    let at = heap.length;
    heap.push(number);
    while (at > 0) {
      const above = (at - 1) >> 1;
      const other = heap[above] as number;
      if (other <= number) break;
      heap[at] = other;
      at = above;
    }
    heap[at] = number;
  }

  /** The smallest number; null where there is none. */
  take(): number | null {
    const heap = this.#numbers;
    const first = heap[0];
    const last = heap.pop();
    if (first === undefined || last === undefined) return null;
    if (heap.length === 0) return first;
    let at = 0;
    for (;;) {
      let below = 2 * at + 1;
      if (below >= heap.length) break;
      if (below + 1 < heap.length && (heap[below + 1] as number) < (heap[below] as number)) below++;
      const other = heap[below] as number;
      if (other >= last) break;
      heap[at] = other;
      at = below;
    }
    heap[at] = last;
    return first;
  }
}
