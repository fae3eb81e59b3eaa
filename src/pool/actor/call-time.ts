import { after } from "../../timers.ts";
import type { TimeLimit } from "../call.ts";
import type { Order } from "./order.ts";

/** What becomes of a call whose time is over. */
export interface TimeEvents {
  /** It is asked to end. */
  abort(reason: string): void;
  /** It has run for `hard` milliseconds. Its result may have come meanwhile. */
  kill(hard: number): void;
}

/** Lets the time of a call run from now until it has a result. */
export function watchTime(order: Order, { soft, hard }: TimeLimit, events: TimeEvents): void {
  const killAfter = (ms: number) => {
    order.timer = after(ms, () => {
      // Its result may have come while this thread was busy: look at what is there first.
      setImmediate(() => events.kill(hard));
    });
  };
  if (soft === undefined || soft >= hard) {
    killAfter(hard);
    return;
  }
  order.timer = after(soft, () => {
    events.abort(`its time of ${soft} ms is over`);
    killAfter(hard - soft);
  });
}
