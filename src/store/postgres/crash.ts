/**
 * What a crash makes of a task of the table `t`, as the SET of an UPDATE. `due` is when it may be claimed again,
 * `poison` the number of crashes that make it poison.
 */
export function crashed(due: string, poison: string): string {
  const dies = `t.crashes + 1 >= ${poison}`;
  const stays = `NOT t.cancel_requested AND NOT ${dies}`;
  return `crashes = t.crashes + 1,
    state = CASE WHEN t.cancel_requested THEN 'cancelled' WHEN ${dies} THEN 'dead' ELSE 'waiting' END,
    due = CASE WHEN ${stays} THEN ${due} END,
    settled_at = CASE WHEN NOT (${stays}) THEN (SELECT pawl.now_ms()) END,
    prune_at = CASE WHEN NOT (${stays}) THEN (SELECT pawl.now_ms()) + t.retention_ms END,
    error = CASE WHEN NOT t.cancel_requested AND ${dies}
      THEN 'Poisoned: its worker died or lost it ' || (t.crashes + 1) || ' times without progress.'
      ELSE t.error END`;
}
