import type { TimeLimit } from "../call.ts";
import type { Order } from "./order.ts";

/** What becomes of a call whose time is over. */
export interface TimeEvents {
  /** It is asked to end. */
  abort(reason: string): void;
  /** It has run for `hard` milliseconds. Its result may have come meanwhile. */
  kill(hard: number): void;
}

/** The longest time a timer can take. */
const LONGEST_MS = 2 ** 31 - 1;

/** Lets the time of a call run from now until it has a result. */
export function watchTime(order: Order, { soft, hard }: TimeLimit, events: TimeEvents): void {
  const killAfter = (ms: number) => {
    order.timer = setTimeout(
      () => {
        // Its result may have come while this thread was busy: look at what is there first.
        setImmediate(() => events.kill(hard));
      },
      Math.min(ms, LONGEST_MS),
    );
  };
  if (soft === undefined || soft >= hard) {
    killAfter(hard);
    return;
  }
  order.timer = setTimeout(
    () => {
      events.abort(`its time of ${soft} ms is over`);
      killAfter(hard - soft);
    },
    Math.min(soft, LONGEST_MS),
  );
}
