import type { Settlement } from "../contract.ts";
import { JsonText } from "../json-text.ts";
import type { SettledTask } from "../sql/driver.ts";
import { hasNext } from "../sql/settle.ts";
import { changeOf, setOf, type TaskChange } from "../sql/state-machine.ts";
import type { StateTransitions } from "../sql/state-transitions.ts";
import { duration } from "../storable.ts";
import { among, HELD } from "./claim.ts";
import type { Connection } from "./connection.ts";

function resultText({ result }: Settlement): string {
  return result.state === "succeeded" ? JsonText.of(result.value).text : "null";
}

const SUCCEED_ALONE = setOf(
  changeOf("succeeded", { cancelRequested: false, hasNext: false, isPoison: false }),
  {
    now: "?1",
    due: "NULL",
    error: "NULL",
    result: "'null'",
  },
);

/**
 * Settles what is alike in one statement, where it is held, in no group and without a result, which takes half the time.
 * Returns what it has settled.
 */
export function succeedAlone(
  db: Connection,
  settlements: readonly Settlement[],
  transitions: StateTransitions,
): ReadonlySet<Settlement> {
  const plain = settlements.filter((settlement) => resultText(settlement) === "null");
  const settled = new Set<Settlement>();
  // For a single task the statement for many is as much work.
  if (plain.length < 2) return settled;
  const rows = db.tuples<[at: number, seq: number, queue: string]>(
    `SELECT j.key, seq, queue FROM json_each(?) AS j CROSS JOIN task
     WHERE task.id = j.value AND fence = 1 AND state = 'leased' AND group_id IS NULL`,
    JSON.stringify(plain.map(({ id }) => id)),
  );
  const these = among(
    rows.map(([, seq]) => seq),
    2,
  );
  db.run(`UPDATE task AS t SET ${SUCCEED_ALONE} WHERE ${these.sql}`, db.clock.wall(), ...these.values);
  for (const [at, , queue] of rows) {
    const settlement = plain[at] as Settlement;
    settled.add(settlement);
    transitions.add({ id: settlement.id, queue, fence: 1, group_id: null }, "leased", "succeeded");
  }
  return settled;
}

/** What must be known of a task whose claim ends. */
type Held = readonly [
  seq: number,
  queue: string,
  group: string | null,
  childIndex: number | null,
  cancelRequested: number,
  crashes: number,
];

/** Ends claims, in a transaction; those that are no longer held are left out of what is returned. */
export function endClaims(db: Connection, settlements: readonly Settlement[]): SettledTask[] {
  const ended: SettledTask[] = [];
  for (const settlement of settlements) {
    const task = end(db, settlement);
    if (task !== undefined) ended.push(task);
  }
  return ended;
}

/** Ends a claim; undefined when it is no longer held. */
function end(db: Connection, settlement: Settlement): SettledTask | undefined {
  const { id, fence, result } = settlement;
  // Read and then written: a RETURNING costs more than both.
  const held = db.tuple<Held>(
    `SELECT seq, queue, group_id, child_index, cancel_requested, crashes FROM task WHERE ${HELD}`,
    id,
    fence,
  );
  if (held === undefined) return undefined;
  const [seq, queue, group_id, child_index, cancelRequested, crashes] = held;
  const change = changeOf(result.state, {
    cancelRequested: cancelRequested === 1,
    hasNext: hasNext(result),
    isPoison: result.state === "crashed" && crashes + 1 >= result.poisonAfter,
  });
  const now = db.clock.wall();
  const delayMs = "delayMs" in result ? result.delayMs : 0;
  const due = delayMs === null ? null : now + duration(delayMs);
  const error = "error" in result ? result.error : null;
  db.run(updateFor(change), now, due, error, resultText(settlement), seq);
  return { id, queue, fence, group_id, child_index, state: change.state };
}

const updates = new Map<TaskChange, string>();

/** Made once for each change: a statement is looked up by its text. */
function updateFor(change: TaskChange): string {
  let text = updates.get(change);
  if (text === undefined) {
    const set = setOf(change, { now: "?1", due: "?2", error: "?3", result: "?4" });
    text = `UPDATE task AS t SET ${set} WHERE t.seq = ?5`;
    updates.set(change, text);
  }
  return text;
}
