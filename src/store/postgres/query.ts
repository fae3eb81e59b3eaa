import { PawlError } from "../../errors.ts";
import type { Page, TaskRecord, TaskSelector } from "../contract.ts";
import { where } from "./selector.ts";
import type { Session } from "./session.ts";
import { TASK_ROW, type TaskRow, toTask } from "./task-row.ts";

/** A page of the selected tasks. */
export async function query(
  session: Session,
  selector: TaskSelector,
  page: Page,
  location: string,
): Promise<TaskRecord[]> {
  const { sql, values } = where(selector);
  const [beyond, order] = page.newestFirst ? ["<", "DESC"] : [">", "ASC"];
  const bound = [...values];
  const bind = (value: string | number) => `$${bound.push(value)}`;
  let after = "";
  if (page.after !== undefined) {
    const row = await session.get<{ seq: number }>("SELECT seq FROM pawl.task WHERE id = $1", [page.after]);
    if (row === undefined) {
      throw new PawlError(
        "store.no-such-task",
        `The store ${location} has no task ${page.after} any more to go on after: begin the list again.`,
      );
    }
    after = `AND t.seq ${beyond} ${bind(row.seq)}`;
  }
  const limit = page.limit === undefined ? "" : `LIMIT ${bind(page.limit)}`;
  const rows = await session.all<TaskRow>(
    `SELECT ${TASK_ROW} FROM pawl.task AS t WHERE (${sql}) ${after} ORDER BY t.seq ${order} ${limit}`,
    bound,
  );
  return rows.map((row) => toTask(row, row));
}
