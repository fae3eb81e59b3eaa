import type { Rule } from "../check.ts";

/** Once it was said that a task or a flow is cancelled, or that there was nothing left of it, none of it begins any more. */
export const cancels: Rule = function* ({ tasks }, index) {
  const cancelled = new Map(index.all("cancelled").map(({ id, t }) => [id, t]));
  if (cancelled.size === 0) return;
  for (const { id, flow } of tasks.values()) {
    const since = cancelled.get(id) ?? (flow === null ? undefined : cancelled.get(flow));
    const later =
      since === undefined ? undefined : index.claims.get(id)?.find((claim) => claim.since > since);
    if (later !== undefined) {
      yield { task: id, text: `${later.by} was given fence ${later.fence} after its cancelling was over` };
    }
  }
};
