import type { Rule } from "../check.ts";

/** Once it was acknowledged that a task or a flow is cancelled, none of it begins any more. */
export const cancels: Rule = function* ({ tasks }, index) {
  const cancelled = new Map(
    index.all("cancelled").flatMap(({ id, reached, t }) => (reached ? [[id, t] as const] : [])),
  );
  if (cancelled.size === 0) return;
  for (const { id, group } of tasks.values()) {
    const since = cancelled.get(id) ?? (group === null ? undefined : cancelled.get(group));
    const later =
      since === undefined ? undefined : index.claims.get(id)?.find((claim) => claim.since > since);
    if (later !== undefined) {
      yield { task: id, text: `${later.by} was given fence ${later.fence} after it had been cancelled` };
    }
  }
};
