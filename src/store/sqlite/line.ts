import type { Connection } from "./connection.ts";

/**
 * The line of waiting tasks, read through its index (queue, priority, due). The due time stands behind the priority
 * there, so one range over a queue would walk past every delayed task; instead each priority in use is looked up and
 * read on its own, and only as far as needed.
 */
const WAITING = "task INDEXED BY task_line WHERE state = 'waiting' AND due IS NOT NULL AND queue = ?";

/** The priorities in use in a queue, highest first. */
function* priorities(db: Connection, queue: string): Generator<number> {
  let found = db.get<{ p: number | null }>(`SELECT max(priority) AS p FROM ${WAITING}`, queue)?.p ?? null;
  while (found !== null) {
    yield found;
    found =
      db.get<{ p: number | null }>(`SELECT max(priority) AS p FROM ${WAITING} AND priority < ?`, queue, found)
        ?.p ?? null;
  }
}

/** The first `n` due tasks of some queues, by priority, due time and order of enqueueing. */
export function firstInLine(db: Connection, queues: readonly string[], n: number, now: number): number[] {
  const lines = [...new Set(queues)].map((queue) => {
    const walk = priorities(db, queue);
    return { queue, walk, priority: walk.next().value };
  });
  const chosen: number[] = [];
  while (chosen.length < n) {
    const highest = Math.max(...lines.map((line) => line.priority ?? Number.NEGATIVE_INFINITY));
    if (highest === Number.NEGATIVE_INFINITY) break;
    const tier: { seq: number; due: number }[] = [];
    for (const line of lines) {
      if (line.priority !== highest) continue;
      const rows = db.all<{ seq: number; due: number }>(
        `SELECT seq, due FROM ${WAITING} AND priority = ? AND due <= ? ORDER BY due, seq LIMIT ?`,
        line.queue,
        highest,
        now,
        n - chosen.length,
      );
      for (const row of rows) tier.push(row);
      line.priority = line.walk.next().value;
    }
    tier.sort((a, b) => a.due - b.due || a.seq - b.seq);
    for (const row of tier.slice(0, n - chosen.length)) chosen.push(row.seq);
  }
  return chosen;
}

/** When the next waiting task of some queues is due; null when none waits. */
export function nextDue(db: Connection, queues: readonly string[]): number | null {
  let next: number | null = null;
  for (const queue of new Set(queues)) {
    for (const priority of priorities(db, queue)) {
      const row = db.get<{ due: number }>(
        `SELECT min(due) AS due FROM ${WAITING} AND priority = ?`,
        queue,
        priority,
      );
      if (row !== undefined && (next === null || row.due < next)) next = row.due;
    }
  }
  return next;
}
