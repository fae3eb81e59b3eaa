import type { Chunk, Failure, WriteOutcome } from "../../../../batch/contract.ts";
import { isCsvChunk } from "../../../csv/contract.ts";
import { isUniqueViolation, mayBeOfRows } from "../row-errors.ts";
import { type ChunkWrite, NOTHING, total } from "../table-writer.ts";
import { copyAndMerge, copyDirect, type MergePlan, type MergeResult } from "./copy-and-merge.ts";
import { type CopyRows, csvRows } from "./copy-rows.ts";
import { EncodedChunk, type EncodedItems, encode } from "./encode-items.ts";
import type { LoadTarget } from "./load-target.ts";
import { writeRowByRow } from "./row-by-row.ts";
import type { RowLayouts } from "./row-layout.ts";
import { Miscount, type Staging } from "./staging.ts";

/** COPY straight into the table; COPY into a staging table and a merge; or row by row, which finds the bad ones. */
type WriteMode = "copy" | "merge" | "row by row";

/** A direct COPY that failed cost the time of a whole chunk, so it is tried again only after a number of merged chunks, at most this one. */
const LONGEST_PAUSE = 64;
/** After so many chunks in a row with refused rows the next one begins row by row. */
const ENOUGH_BAD = 2;

/** Chooses the write mode of the next chunk by what became of those before it; shared by the writers of a run. */
export class AdaptiveMode {
  #copy: boolean;
  #pause = 0;
  #nextPause = 1;
  #bad = 0;
  #lookFirst = true;
  #lastOnly = false;
  readonly #triggersBefore: boolean;

  /** `fresh`: nothing suggests that keys are in the table already. */
  constructor(options: { readonly fresh: boolean; readonly triggersBefore: boolean }) {
    this.#copy = options.fresh;
    this.#triggersBefore = options.triggersBefore;
  }

  /** The mode that a chunk is written by first. */
  initial(canCopy: boolean): WriteMode {
    if (this.#bad >= ENOUGH_BAD) return "row by row";
    return this.#copy && canCopy ? "copy" : "merge";
  }

  mergePlan(): MergePlan {
    // A BEFORE trigger sees every row proposed to INSERT, unchanged ones too, unless they are looked up first.
    return { lookFirst: this.#triggersBefore || this.#lookFirst, lastOnly: this.#lastOnly };
  }

  /** A direct COPY met a key that is there, or rows that a trigger drops. */
  copyFailed(): void {
    this.#copy = false;
    this.#pause = this.#nextPause;
    this.#nextPause = Math.min(this.#nextPause * 2, LONGEST_PAUSE);
  }

  copied(): void {
    this.#nextPause = 1;
    this.#bad = 0;
  }

  merged(result: MergeResult): void {
    this.#bad = 0;
    this.#lookFirst = result.unchangedShare >= 0.5;
    this.#lastOnly = result.duplicates;
    const allNew = result.allNew ?? result.unchangedShare === 0;
    if (this.#pause > 0) this.#pause--;
    else this.#copy = allNew && !result.duplicates;
  }

  wentRowByRow(refused: number): void {
    this.#bad = refused > 0 ? this.#bad + 1 : 0;
  }
}

/** A chunk of a load: its rows in a form that COPY reads, and the mode by which they are written. */
export class LoadChunk implements ChunkWrite {
  readonly items: number;
  readonly #groups: readonly CopyRows[];
  /** Items that no column could hold. */
  readonly #failures: readonly Failure[];
  readonly #staging: Staging;
  readonly #adaptive: AdaptiveMode;
  #mode: WriteMode;

  constructor({ groups, failures }: EncodedItems, staging: Staging, adaptive: AdaptiveMode) {
    this.items = groups.reduce((sum, rows) => sum + rows.items, failures.length);
    this.#groups = groups;
    this.#failures = failures;
    this.#staging = staging;
    this.#adaptive = adaptive;
    this.#mode = adaptive.initial(groups.every((rows) => staging.statements(rows).canCopy));
  }

  async prepare(): Promise<void> {
    const staging = this.#staging;
    if (this.#mode === "merge" && this.#groups.some((rows) => staging.numberedOf(rows) === "json"))
      this.#mode = "row by row";
    if (this.#mode !== "copy")
      await staging.prepare(this.#groups, this.#mode === "merge" ? "stage" : "numbered");
  }

  async apply(): Promise<WriteOutcome> {
    const outcomes: WriteOutcome[] = [{ ...NOTHING, failures: this.#failures }];
    for (const rows of this.#groups) {
      outcomes.push(await this.#write(rows));
      if (this.#mode === "copy") continue;
      const staging = this.#staging;
      const from = this.#mode === "merge" ? "stage" : staging.numberedOf(rows);
      const keep = staging.statements(rows).keepSeen(from);
      if (keep !== null) await staging.session.run(keep);
    }
    const outcome = total(outcomes);
    if (this.#mode === "row by row")
      this.#adaptive.wentRowByRow(outcome.failures.length - this.#failures.length);
    return outcome;
  }

  async #write(rows: CopyRows): Promise<WriteOutcome> {
    if (this.#mode === "row by row") return await writeRowByRow(this.#staging, rows);
    if (this.#mode === "copy") {
      const outcome = await copyDirect(this.#staging, rows);
      this.#adaptive.copied();
      return outcome;
    }
    const { outcome, result } = await copyAndMerge(this.#staging, rows, this.#adaptive.mergePlan());
    this.#adaptive.merged(result);
    return outcome;
  }

  changeMode(error: unknown): boolean {
    const next = modeAfter(this.#mode, error, this.#staging.target);
    const isMiscount = error instanceof Miscount;
    if (this.#mode === "copy" && (isMiscount || isUniqueViolation(error))) this.#adaptive.copyFailed();
    if (next === null) return false;
    this.#mode = next;
    return true;
  }

  committed(): void {
    this.#staging.committed();
  }
}

/** What to try when a mode failed; null when the error is not about the rows. */
function modeAfter(mode: WriteMode, error: unknown, { key, mode: onConflict }: LoadTarget): WriteMode | null {
  const isMiscount = error instanceof Miscount;
  if (mode === "row by row" || (!isMiscount && !mayBeOfRows(error))) return null;
  if (mode === "merge") return "row by row";
  const meetsRows = isUniqueViolation(error) && key !== null && onConflict !== "fail";
  return isMiscount || meetsRows ? "merge" : "row by row";
}

/** The items of a chunk in a form that COPY reads. */
export async function encoded(chunk: Chunk<unknown>, layouts: RowLayouts): Promise<EncodedItems> {
  if (chunk instanceof EncodedChunk) return chunk.encoded;
  if (!isCsvChunk(chunk)) return await encode(chunk, layouts);
  return { groups: [csvRows(chunk, layouts.of(chunk.csv.columns))], failures: [] };
}
