import { PawlError } from "../../errors.ts";
import type { Page, TaskRecord, TaskSelector } from "../contract.ts";
import type { Connection } from "./connection.ts";
import { where } from "./selector.ts";
import { TASK_COLUMNS, type TaskRow, toTask } from "./task-row.ts";

/** A page of the selected tasks. */
export function query(db: Connection, selector: TaskSelector, page: Page): TaskRecord[] {
  const { sql, values } = where(db, selector);
  const limit = page.limit ?? -1;
  const [beyond, order] = page.newestFirst ? ["<", "DESC"] : [">", "ASC"];
  if (page.after === undefined) {
    return db
      .tuples<TaskRow>(
        `SELECT ${TASK_COLUMNS} FROM task WHERE ${sql} ORDER BY seq ${order} LIMIT ?`,
        ...values,
        limit,
      )
      .map(toTask);
  }
  const after = db.get<{ seq: number }>("SELECT seq FROM task WHERE id = ?", page.after);
  if (after === undefined) {
    throw new PawlError(
      "store.no-such-task",
      `The store ${db.location} has no task ${page.after} any more to go on after: begin the list again.`,
    );
  }
  return db
    .tuples<TaskRow>(
      `SELECT ${TASK_COLUMNS} FROM task WHERE ${sql} AND seq ${beyond} ? ORDER BY seq ${order} LIMIT ?`,
      ...values,
      after.seq,
      limit,
    )
    .map(toTask);
}
