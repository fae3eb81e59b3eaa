import { sqlState } from "../../../postgres-errors.ts";
import type { Table } from "../catalog.ts";
import { isOfStatement } from "./row-errors.ts";

/** Some of the rows that are searched. */
export interface SomeRows {
  /** In ascending order. */
  readonly numbers: readonly number[];
  /** They are all rows between the first and the last of them. */
  readonly consecutive: boolean;
}

/**
 * Writes some rows in the open transaction and resolves with null; or takes that back and resolves with the server's error where
 * one of them may be to blame. Rejects for every other error. A trial is taken back also where it succeeds.
 */
export type WriteAttempt = (rows: SomeRows, trial: boolean) => Promise<Error | null>;

export interface Search {
  /** The numbers of the rows, in ascending order. */
  readonly numbers: readonly number[];
  readonly table: Pick<Table, "mutualConstraints">;
  readonly attempt: WriteAttempt;
  /** Whether a row that was refused may be written after rows behind it. @default every row may */
  readonly mayComeLater?: (number: number) => Promise<boolean>;
}

/** Into how many parts rows are cut that hold a bad one; four needs the fewest statements for few bad rows and for many. */
const PARTS = 4;

/**
 * Writes all rows but the bad ones, and returns these with what the server says of each. Rows are cut into parts until one is
 * refused alone. Rows may refer to each other, so those that were refused alone are tried again: as long as that helps, the ones
 * that lacked another row, and then together the ones that need each other, such as two that swap a unique value.
 *
 * Throws the server's error where it is not about rows.
 */
export async function searchBadRows(search: Search): Promise<ReadonlyMap<number, Error>> {
  const { numbers, table, attempt, mayComeLater = async () => true } = search;
  const refused = await cutDown(numbers, attempt);
  for (let before = -1; before !== refused.size; ) {
    before = refused.size;
    for (const [number, error] of refused) {
      if (sqlState(error) !== FOREIGN_KEY || !(await mayComeLater(number))) continue;
      if ((await attempt({ numbers: [number], consecutive: true }, false)) === null) refused.delete(number);
    }
  }
  const mutual = new Map<number, Error>();
  for (const [number, error] of refused)
    if (isMutual(error, table) && (await mayComeLater(number))) mutual.set(number, error);
  for (const number of await writeTogether(mutual, attempt)) refused.delete(number);
  if (refused.size === numbers.length) assertOfRows(refused.values(), true);
  return refused;
}

/** SQLSTATE "foreign_key_violation". */
const FOREIGN_KEY = "23503";

/** Writes rows in ever smaller parts; returns those that were refused alone, with what the server says of each. */
export async function cutDown(
  numbers: readonly number[],
  attempt: WriteAttempt,
): Promise<Map<number, Error>> {
  const refused = new Map<number, Error>();
  let anyWritten = false;
  const write = async (some: readonly number[]): Promise<void> => {
    const [first] = some;
    if (first === undefined) return;
    const error = await attempt({ numbers: some, consecutive: true }, false);
    if (error === null) {
      anyWritten = true;
      return;
    }
    if (some.length === 1) {
      refused.set(first, error);
      if (!anyWritten) assertOfRows(refused.values(), false);
      return;
    }
    const step = Math.ceil(some.length / PARTS);
    for (let at = 0; at < some.length; at += step) await write(some.slice(at, at + step));
  };
  await write(numbers);
  return refused;
}

/** After so many rows that were refused for what no row is to blame for, and none that was written, the error is not about rows. */
const ENOUGH = 32;

/** Throws where rows were refused for a reason that is not about them: where all were, or so many that more need not be tried. */
function assertOfRows(refused: Iterable<Error>, all: boolean): void {
  let count = 0;
  let first: unknown;
  for (const error of refused) {
    if (!isOfStatement(error)) return;
    if (count++ === 0) first = error;
  }
  if (count >= ENOUGH || (all && count > 0)) throw first;
}

/** Whether the row was refused by a constraint that it may meet together with others; see `Table.mutualConstraints`. */
function isMutual(error: Error, { mutualConstraints: mutual }: Pick<Table, "mutualConstraints">): boolean {
  const { constraint } = error as { constraint?: string };
  return constraint !== undefined && mutual.includes(constraint) && sqlState(error) !== null;
}

/** So often the server is asked at most which rows it still complains about. */
const MOST_TRIES = 100;
/** So many rows are left out one by one at most. */
const MOST_LEFT_OUT = 100;

/**
 * Writes rows together that were refused alone for what others of them may bring, without the ones that the server still
 * complains about. Returns the numbers of those that were written.
 */
async function writeTogether(
  refused: ReadonlyMap<number, Error>,
  attempt: WriteAttempt,
): Promise<readonly number[]> {
  const candidates = new Map([...refused].map(([number, error]) => [number, complaintOf(error)] as const));
  for (let tries = 0; tries < MOST_TRIES && candidates.size > 1; tries++) {
    const numbers = [...candidates.keys()];
    const error = await attempt({ numbers, consecutive: false }, false);
    if (error === null) return numbers;
    const complaint = complaintOf(error);
    for (const [number, own] of candidates) if (own === complaint) candidates.delete(number);
    if (candidates.size < numbers.length) continue;
    // Alone, that row lacked something else first: it is found by leaving out one after the other.
    if (numbers.length > MOST_LEFT_OUT) return [];
    const culprit = await findCulprit(candidates, complaint, attempt);
    if (culprit === null) return [];
    candidates.delete(culprit);
  }
  return [];
}

/**
 * The row without which the server complains about something else, or nothing. Where it says then what it said of a single row,
 * that row lacks what was left out, which was no culprit.
 */
async function findCulprit(
  candidates: ReadonlyMap<number, string>,
  complaint: string,
  attempt: WriteAttempt,
): Promise<number | null> {
  const known = new Set(candidates.values());
  for (const one of candidates.keys()) {
    const numbers = [...candidates.keys()].filter((number) => number !== one);
    const error = await attempt({ numbers, consecutive: false }, true);
    if (error === null) return one;
    const other = complaintOf(error);
    if (other !== complaint && !known.has(other)) return one;
  }
  return null;
}

/** What the server says of a row: the same for each row that lacks, or meets, the same. */
function complaintOf(error: Error): string {
  const { code, constraint, detail } = error as { code?: string; constraint?: string; detail?: string };
  return `${code} ${constraint} ${detail}`;
}
