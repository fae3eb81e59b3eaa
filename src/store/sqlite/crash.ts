/**
 * What a crash makes of a task, as the SET of an UPDATE: ?1 is the time, ?2 when it may be claimed again, ?3 the
 * number of crashes that make it poison.
 */
const STAYS = "(NOT cancel_requested AND crashes + 1 < ?3)";

export const CRASHED = `
  crashes = crashes + 1,
  state = CASE WHEN cancel_requested THEN 'cancelled' WHEN crashes + 1 >= ?3 THEN 'dead' ELSE 'waiting' END,
  due = iif(${STAYS}, ?2, NULL),
  settled_at = iif(${STAYS}, NULL, ?1),
  prune_at = iif(${STAYS}, NULL, ?1 + retention_ms),
  error = iif(NOT cancel_requested AND crashes + 1 >= ?3,
    'Poisoned: its worker died or lost it ' || (crashes + 1) || ' times without progress.', error)`;
