import type { Json } from "../../store/contract.ts";

/** How far a task is. */
export interface Progress {
  readonly current: number;
  readonly total: number | null;
  readonly note: string | null;
}

/** The progress in a record; null where there is none. */
export function progressOf(value: Json): Progress | null {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return null;
  const { current, total, note } = value as Record<string, Json>;
  if (typeof current !== "number") return null;
  return {
    current,
    total: typeof total === "number" ? total : null,
    note: typeof note === "string" ? note : null,
  };
}
