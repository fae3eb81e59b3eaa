import type { SQLInputValue } from "node:sqlite";
import type { Settlement } from "../contract.ts";
import { HELD } from "./claims.ts";
import type { Connection } from "./connection.ts";
import { duration, toText } from "./values.ts";

/** A task that was asked to stop does not go back in line: who hands it back has stopped. */
const BACK_IN_LINE = `
  state = iif(cancel_requested, 'cancelled', 'waiting'),
  due = iif(cancel_requested, NULL, ?),
  settled_at = iif(cancel_requested, ?, NULL)`;

function change(settlement: Settlement, now: number): { set: string; values: SQLInputValue[] } {
  const { outcome } = settlement;
  switch (outcome.state) {
    case "succeeded":
      return {
        set: "state = 'succeeded', result = ?, error = NULL, settled_at = ?",
        values: [toText(outcome.result), now],
      };
    case "retry":
      return {
        set: `${BACK_IN_LINE}, failures = failures + 1, error = ?`,
        values: [now + duration(outcome.delayMs), now, outcome.error],
      };
    case "dead":
      return {
        set: "state = 'dead', failures = failures + 1, error = ?, settled_at = ?",
        values: [outcome.error, now],
      };
    case "cancelled":
      return { set: "state = 'cancelled', settled_at = ?", values: [now] };
    case "snoozed": {
      const due = outcome.delayMs === null ? null : now + duration(outcome.delayMs);
      return { set: BACK_IN_LINE, values: [due, now] };
    }
  }
}

/** Ends claims, in a transaction. */
export function settle(db: Connection, settlements: readonly Settlement[]): { lost: string[] } {
  const now = db.clock.wall();
  const lost = settlements.filter((settlement) => {
    const { set, values } = change(settlement, now);
    return db.run(`UPDATE task SET ${set} WHERE ${HELD}`, ...values, settlement.id, settlement.fence) === 0;
  });
  return { lost: lost.map(({ id }) => id) };
}

/** Whether one of the settlements may put a task back in line. */
export function mayWake(settlements: readonly Settlement[]): boolean {
  return settlements.some(
    ({ outcome }) => outcome.state === "retry" || (outcome.state === "snoozed" && outcome.delayMs !== null),
  );
}
