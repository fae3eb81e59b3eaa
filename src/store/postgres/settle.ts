import type { Lease, Settlement } from "../contract.ts";
import type { SettledTask } from "../sql/driver.ts";
import { hasNext } from "../sql/settle.ts";
import { changeOf, type ResultState, setByCase, setOf } from "../sql/state-machine.ts";
import { all, type Procedure, statement, together } from "../sql/statement.ts";
import { duration } from "../storable.ts";
import { byId, heldClaims } from "./claim.ts";
import { prepared } from "./connection.ts";
import { scalars, texts, toText, withoutNul } from "./dialect.ts";
import { type Alike, type PostgresTransitions, TRANSITIONED } from "./state-transitions.ts";

const EXPRESSIONS = {
  now: "(SELECT pawl.now_ms())",
  due: "(SELECT pawl.now_ms()) + s.delay_ms",
  error: "s.error",
  result: "s.result",
};

const RETURNING = `RETURNING ${TRANSITIONED}, t.state, t.child_index`;

const SUCCESS = changeOf("succeeded", { cancelRequested: false, hasNext: false, isPoison: false });

/** Successes that nothing follows. */
const SUCCEEDED = `
  UPDATE pawl.task AS t SET ${setOf(SUCCESS, EXPRESSIONS)}
  FROM ${heldClaims("unnest($1::text[], $2::integer[], $3::text[]) WITH ORDINALITY AS u (id, fence, result, position)")}`;

/** Those of tasks in no group, which are most: returned by queue and lease, and until when they are kept is written at once. */
const SUCCEEDED_ALONE = prepared(`
  WITH done AS (${SUCCEEDED} AND (t.group_id IS NULL) = s.alone RETURNING t.queue, t.lease, t.prune_at, t.seq, s.position),
  kept AS (
    INSERT INTO pawl.retained (prune_at, tasks)
    SELECT prune_at, array_agg(seq) FROM done WHERE prune_at IS NOT NULL GROUP BY prune_at)
  SELECT queue, lease, array_agg(position)::text AS positions FROM done GROUP BY queue, lease`);

const OTHERS: readonly ResultState[] = ["succeeded", "retry", "dead", "cancelled", "snoozed"];

/** Every other way to end a claim that is not a crash. */
const ENDED = `
  UPDATE pawl.task AS t SET ${setByCase(
    OTHERS,
    "s.kind",
    { cancelRequested: "t.cancel_requested", hasNext: "s.follows" },
    EXPRESSIONS,
  )}
  FROM ${heldClaims(`unnest($1::text[], $2::integer[], $3::text[], $4::text[], $5::boolean[], $6::bigint[], $7::text[])
    AS u (id, fence, kind, result, follows, delay_ms, error)`)} ${RETURNING}`;

const CRASHED = `
  UPDATE pawl.task AS t SET ${setByCase(
    ["crashed"],
    "",
    { cancelRequested: "t.cancel_requested", isPoison: "t.crashes + 1 >= s.poison" },
    EXPRESSIONS,
  )}
  FROM ${heldClaims("unnest($1::text[], $2::integer[], $3::bigint[], $4::integer[]) AS u (id, fence, delay_ms, poison)")}
  ${RETURNING}`;

/** Ends what is alike in one statement, in a transaction; returns what was held. */
export function* succeedAlone(
  transitions: PostgresTransitions,
  settlements: readonly Settlement[],
): Procedure<ReadonlySet<Settlement>> {
  const sorted = settlements.toSorted(byId);
  const groups = yield* all<Alike & { readonly positions: string }>(
    statement(SUCCEEDED_ALONE, [...leasesOf(sorted), texts(sorted.map(resultOf))]),
  );
  const settled = new Set<Settlement>();
  for (const { positions, ...alike } of groups) {
    const tasks = positions
      .slice(1, -1)
      .split(",")
      .map((position) => sorted[Number(position) - 1] as Settlement);
    for (const settlement of tasks) settled.add(settlement);
    transitions.succeed(alike, tasks);
  }
  return settled;
}

/** Ends claims, in a transaction: one statement for each kind of result, however many there are. */
export function* endClaims(settlements: readonly Settlement[]): Procedure<readonly SettledTask[]> {
  // Every transaction takes rows in the same order, so that no two wait for each other.
  const {
    plain = [],
    crashed = [],
    other = [],
  } = Object.groupBy(settlements.toSorted(byId), ({ result }) => {
    if (result.state === "crashed") return "crashed";
    return result.state === "succeeded" && !hasNext(result) ? "plain" : "other";
  });
  const ended: Procedure<SettledTask[]>[] = [];
  const end = (text: string, some: readonly Settlement[], ...columns: (string | null)[]) => {
    if (some.length > 0) ended.push(all(statement(text, [...leasesOf(some), ...columns])));
  };
  end(`${SUCCEEDED} ${RETURNING}`, plain, texts(plain.map(resultOf)));
  end(
    ENDED,
    other,
    texts(other.map(({ result }) => result.state)),
    texts(other.map(resultOf)),
    scalars(other.map(({ result }) => hasNext(result))),
    scalars(other.map(delayOf)),
    texts(other.map(({ result }) => ("error" in result ? withoutNul(result.error) : null))),
  );
  end(
    CRASHED,
    crashed,
    scalars(crashed.map(delayOf)),
    scalars(crashed.map(({ result }) => (result.state === "crashed" ? result.poisonAfter : null))),
  );
  return (yield* together(ended)).flat();
}

function delayOf({ result }: Settlement): number | null {
  return "delayMs" in result && result.delayMs !== null ? duration(result.delayMs) : null;
}

function leasesOf(some: readonly Lease[]): [string | null, string | null] {
  return [texts(some.map(({ id }) => id)), scalars(some.map(({ fence }) => fence))];
}

function resultOf({ result }: Settlement): string | null {
  return result.state === "succeeded" ? toText(result.value) : null;
}
