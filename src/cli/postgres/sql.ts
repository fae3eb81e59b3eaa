import { runSqlTexts } from "../../connect/postgres/internal.ts";
import { stateLocation } from "../../store/internal.ts";
import { harmlessJson, visible } from "../../visible.ts";
import { type DatabaseFlags, databaseFlag, resolveDatabase } from "../options/database.ts";
import { write } from "../terminal/output.ts";

/** The flags of `pawl sql`, as the command line gives them. */
export interface SqlFlags extends DatabaseFlags {
  readonly json?: boolean;
}

/** `pawl sql STATEMENT`: prints the rows of one statement. */
export async function sql(statement: string, flags: SqlFlags): Promise<void> {
  const { url } = await resolveDatabase(flags.url, stateLocation(), databaseFlag(flags, "url"));
  const { columns, rows } = await runSqlTexts(url, statement);
  if (flags.json) {
    const names = uniqueNames(columns.map(({ name }) => name));
    const objects = rows.map((row) => {
      const pairs = names.map(
        (name, at) => `${JSON.stringify(name)}:${jsonOf(row[at] ?? null, columns[at]?.type)}`,
      );
      return `{${pairs.join(",")}}`;
    });
    await write(`${harmlessJson(`[${objects.join(",")}]`)}\n`);
    return;
  }
  if (columns.length === 0) return;
  const lines = [columns.map(({ name }) => name), ...rows].map((row) =>
    row.map((value) => visible(value ?? "")),
  );
  const widths = columns.map((_, at) =>
    lines.reduce((most, line) => Math.max(most, line[at]?.length ?? 0), 0),
  );
  const [head = "", ...body] = lines.map((line) =>
    line
      .map((value, at) => value.padEnd(widths[at] ?? 0))
      .join("  ")
      .trimEnd(),
  );
  const rule = widths.map((width) => "-".repeat(width)).join("  ");
  await write(`${[head, rule, ...body].join("\n")}\n`);
}

/** A value as JSON, without a detour by JavaScript's numbers and dates. */
function jsonOf(text: string | null, type: string | undefined): string {
  if (text === null) return "null";
  if (type === "boolean") return String(text === "t");
  return type === "json" && isJson(text) ? text : JSON.stringify(text);
}

/** Of numbers, `NaN` and `Infinity` are none to JSON. */
function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

/** Two columns may have one name, and an object may not. */
function uniqueNames(names: readonly string[]): string[] {
  const seen = new Map<string, number>();
  return names.map((name) => {
    const count = (seen.get(name) ?? 0) + 1;
    seen.set(name, count);
    return count === 1 ? name : `${name}_${count}`;
  });
}
