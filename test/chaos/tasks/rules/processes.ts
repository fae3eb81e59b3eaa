import type { Rule } from "../check.ts";

/** Whatever happens to the store, no process ends of it. */
export const processes: Rule = function* ({ deaths }) {
  for (const text of deaths) yield { task: null, text };
};
