import { randomUUID } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdir, readdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { availableParallelism } from "node:os";
import { join, resolve } from "node:path";
import { assertOptions, type OptionNames, quoted, shown } from "../../arguments.ts";
import { PawlError } from "../../errors.ts";
import { type Isolation, Pool, put } from "../../pool/index.ts";
import { type FunctionReference, referenceTo } from "../../pool/internal.ts";
import { openStateFolder } from "../../private-folder.ts";
import { fieldNamed } from "../expr/columns.ts";
import type { RunnableStage, StageContext, StagedFiles } from "../frame/stage.ts";
import type { PlanNode } from "../plan/node.ts";
import { type ColumnField, type FrameSchema, fieldsOf, typeText } from "../schema/column-type.ts";
import { numbered } from "./numbered.ts";
import { type PartitionContext, type PartJob, type PartResult, runPart } from "./part-worker.ts";
import type { GivenColumns, PartitionColumns } from "./partition.ts";

/** A function over the rows of a partition, by column. */
export type PartitionFunction<
  I extends FrameSchema,
  O extends FrameSchema,
  B extends Readonly<Record<string, unknown>>,
  Init,
> = (
  columns: PartitionColumns<I>,
  context: PartitionContext<B, Init>,
) => GivenColumns<O> | Promise<GivenColumns<O>>;

/** How `mapPartitions` runs a function. */
export interface PartitionOptions<
  C extends string,
  O extends FrameSchema,
  B extends Readonly<Record<string, unknown>>,
  Init,
> {
  /** The columns that the function is given. */
  readonly input: readonly C[];
  /** The columns that it gives, which are checked value by value. One with the name of an input column replaces it. */
  readonly output: O;
  /**
   * Data that all calls need, such as a model or a table: sent once to each worker.
   * @default nothing
   */
  readonly broadcast?: B;
  /**
   * Runs once in each worker, before its first call; what it returns is `context.init`. Write the type of its parameter, so that the compiler
   * knows that of its result.
   * @default nothing runs
   */
  readonly init?: (broadcast: B) => Init | Promise<Init>;
  /**
   * Rows of a partition: one call of the function.
   * @default 16384
   */
  readonly rows?: number;
  /**
   * Workers at once.
   * @default one for each core
   */
  readonly concurrency?: number;
  /**
   * What workers are: see `Pool`.
   * @default "thread"
   */
  readonly isolate?: Isolation;
  /**
   * A folder for the rows of partitions for which the function throws, with the reason in a column of its own; they are counted and the
   * run continues.
   * @default the first error ends the run
   */
  readonly quarantine?: string;
  /**
   * Keeps what is done under this name until the whole result is there: a run that was killed repeats only parts that were not
   * finished.
   * @default a run that was killed begins again
   */
  readonly name?: string;
}

const NAMES: OptionNames<PartitionOptions<string, FrameSchema, Readonly<Record<string, unknown>>, unknown>> =
  {
    input: true,
    output: true,
    broadcast: true,
    init: true,
    rows: true,
    concurrency: true,
    isolate: true,
    quarantine: true,
    name: true,
  };

/** Rows of a part at most: what a run that was killed repeats for each worker. */
const PART_ROWS = 262_144;

/** Parts for each worker, so that those that end early find more to do. */
const PARTS_PER_WORKER = 8;

/** Memory of a worker's engine at least. */
const LEAST_WORKER_MEMORY = 32 * 1024 * 1024;

/** The plan of `mapPartitions`. Throws a PawlError for what cannot be run. */
export function partitionPlan(
  input: PlanNode,
  fn: (...args: never[]) => unknown,
  options: PartitionOptions<string, FrameSchema, Readonly<Record<string, unknown>>, unknown>,
): PlanNode {
  assertOptions(options, NAMES, "mapPartitions");
  const output = fieldsOf(options.output, "The output of mapPartitions()");
  const read = options.input.map((name) => fieldNamed(name, input.fields));
  const byName = new Map(output.map((field) => [field.name, field]));
  const fields = [
    ...input.fields.map((field) => byName.get(field.name) ?? field),
    ...output.filter(({ name }) => !input.fields.some((field) => field.name === name)),
  ];
  const reference = referenceTo(fn as never, "mapPartitions");
  const init = options.init === undefined ? null : referenceTo(options.init as never, "mapPartitions");
  const stage = new PartitionStage({
    fn: reference,
    init,
    label: `mapPartitions ${fn.name === "" ? "(anonymous)" : fn.name}`,
    read,
    output,
    broadcast: options.broadcast ?? {},
    rows: count(options.rows, "rows", 16_384),
    workers: count(options.concurrency, "concurrency", availableParallelism()),
    isolate: options.isolate ?? "thread",
    quarantine: options.quarantine === undefined ? null : resolve(options.quarantine),
    runName: runName(options.name),
  });
  return { kind: "staged", name: stage.label, inputs: [input], stage, fields };
}

function count(given: number | undefined, option: string, otherwise: number): number {
  if (given === undefined) return otherwise;
  if (Number.isSafeInteger(given) && given >= 1) return given;
  throw new PawlError(
    "data.argument",
    `The option ${option} must be a whole number from 1, not ${shown(given)}.`,
  );
}

function runName(given: string | undefined): string | null {
  if (given === undefined) return null;
  if (typeof given === "string" && /^[\w-][\w.-]{0,99}$/.test(given)) return given;
  throw new PawlError(
    "data.argument",
    `The option name must be letters, digits, dots, hyphens and underscores, 100 at most, not ${quoted(given)}.`,
  );
}

interface Settings {
  readonly fn: FunctionReference;
  readonly init: FunctionReference | null;
  readonly label: string;
  readonly read: readonly ColumnField[];
  readonly output: readonly ColumnField[];
  readonly broadcast: Readonly<Record<string, unknown>>;
  readonly rows: number;
  readonly workers: number;
  readonly isolate: Isolation;
  readonly quarantine: string | null;
  readonly runName: string | null;
}

/** The input as it lies in the folder of a run, for one that continues it. */
interface Manifest {
  readonly identity: string;
  readonly rows: number;
  readonly partRows: number;
  readonly columns: readonly string[];
}

/** Runs a function over parts of its input in the workers of a pool. */
class PartitionStage implements RunnableStage {
  readonly identity: string;
  readonly label: string;
  readonly #settings: Settings;

  constructor(settings: Settings) {
    this.#settings = settings;
    this.label = settings.label;
    const described = (fields: readonly ColumnField[]) =>
      fields.map(({ name, type }) => [name, typeText(type)]);
    this.identity = JSON.stringify([
      "mapPartitions",
      settings.fn,
      settings.init,
      described(settings.read),
      described(settings.output),
      settings.rows,
    ]);
  }

  async run([input]: readonly PlanNode[], context: StageContext): Promise<StagedFiles> {
    const plan = input as PlanNode;
    const { workers, runName } = this.#settings;
    const folder =
      runName === null
        ? join(context.folder, `partitions-${randomUUID()}`)
        : join(".pawl", "partitions", runName);
    if (runName !== null) openStateFolder(".pawl");
    await mkdir(folder, { recursive: true, mode: 0o700 });
    const { manifest, columns } = await this.#input(plan, folder, context);
    const done = await finishedParts(folder);
    const jobs = this.#jobs(manifest, columns, resolve(folder), context).filter(
      ({ part }) => !done.has(part),
    );
    if (this.#settings.quarantine !== null) await mkdir(this.#settings.quarantine, { recursive: true });
    const results = [...done.values()];
    await using pool = new Pool({ workers, isolate: this.#settings.isolate });
    using broadcast = put(this.#settings.broadcast);
    // Each worker has one part, and one that waits: the others stay here, where a signal finds them.
    const waiting = jobs.values();
    const settled = new AbortController();
    const signal = AbortSignal.any([context.signal, settled.signal]);
    const work = async () => {
      for (const job of waiting) {
        signal.throwIfAborted();
        const future = pool.submit(runPart as (job: PartJob) => Promise<PartResult>, { ...job, broadcast });
        const cancel = () => future.cancel({ kill: true });
        signal.addEventListener("abort", cancel, { once: true });
        try {
          results.push(await future.result());
        } catch (error) {
          settled.abort(error);
          throw context.signal.aborted ? context.signal.reason : error;
        } finally {
          signal.removeEventListener("abort", cancel);
        }
        context.onProgress?.(results.length / (results.length + jobs.length));
      }
    };
    await Promise.all(Array.from({ length: workers }, work));
    return this.#staged(results, manifest, folder);
  }

  /** The rows of the input as one file, and how it is cut; what a run of this name has left is used again. */
  async #input(
    plan: PlanNode,
    folder: string,
    { session, needed }: StageContext,
  ): Promise<{ readonly manifest: Manifest; readonly columns: readonly ColumnField[] }> {
    const { read, output, workers, rows: partitionRows } = this.#settings;
    const given = new Set(output.map(({ name }) => name));
    const wanted = new Set([
      ...read.map(({ name }) => name),
      ...needed.columns.filter((name) => !given.has(name)),
    ]);
    const columns = plan.fields.filter(({ name }) => wanted.has(name));
    const path = join(folder, "manifest.json");
    const identity = JSON.stringify([this.identity, await needed.identity?.()]);
    const known = await readManifest(path);
    if (known !== null && known.identity === identity && same(known.columns, columns))
      return { manifest: known, columns };
    await rm(folder, { recursive: true, force: true });
    await mkdir(folder, { recursive: true, mode: 0o700 });
    const { rows } = await session.write(numbered(plan, columns), {
      format: "parquet",
      path: join(folder, "input.parquet"),
      partitionBy: [],
      compression: "snappy",
      rowGroup: 65_536,
      csv: null,
    });
    const partRows = Math.min(
      PART_ROWS,
      Math.max(partitionRows, Math.ceil(rows / (workers * PARTS_PER_WORKER))),
    );
    const manifest = { identity, rows, partRows, columns: columns.map(({ name }) => name) };
    await writeFile(`${path}.unfinished`, JSON.stringify(manifest), { flush: true });
    await rename(`${path}.unfinished`, path);
    return { manifest, columns };
  }

  #jobs(
    { rows, partRows }: Manifest,
    columns: readonly ColumnField[],
    folder: string,
    { memory }: StageContext,
  ): Omit<PartJob, "broadcast">[] {
    const {
      fn,
      init,
      label,
      read,
      output,
      quarantine,
      workers,
      rows: partitionRows,
      runName,
    } = this.#settings;
    // Of a run that continues it is the same, so that rows are quarantined once.
    const stage = runName ?? randomUUID();
    const result = [
      ...columns.map(({ name }) => name),
      ...output.map(({ name }) => name).filter((name) => !columns.some((field) => field.name === name)),
    ];
    return Array.from({ length: Math.ceil(rows / partRows) }, (_, part) => ({
      stage,
      name: label,
      function: fn,
      init,
      input: join(folder, "input.parquet"),
      first: part * partRows,
      rows: Math.min(partRows, rows - part * partRows),
      part,
      partitionRows,
      columns,
      read: read.map(({ name }) => name),
      output,
      result,
      folder,
      quarantine,
      memory: Math.max(LEAST_WORKER_MEMORY, Math.floor(memory / (workers * 2))),
    }));
  }

  #staged(results: readonly PartResult[], { rows }: Manifest, folder: string): StagedFiles {
    const read = results.reduce((sum, result) => sum + result.read, 0);
    if (read !== rows)
      throw new PawlError("data.partition-count", `${this.label} worked on ${read} of ${rows} rows.`);
    const ordered = results.toSorted((a, b) => a.part - b.part);
    return {
      paths: ordered.map(({ file }) => file),
      rows: ordered.reduce((sum, { written }) => sum + written, 0),
      finished: async () => await rm(folder, { recursive: true, force: true }),
    };
  }
}

async function readManifest(path: string): Promise<Manifest | null> {
  if (!existsSync(path)) return null;
  return JSON.parse(await readFile(path, "utf8")) as Manifest;
}

function same(names: readonly string[], columns: readonly ColumnField[]): boolean {
  return names.length === columns.length && columns.every(({ name }, index) => names[index] === name);
}

/** The parts that are finished, by their number: a file has its name only when it is whole, and the name says its counts. */
async function finishedParts(folder: string): Promise<ReadonlyMap<number, PartResult>> {
  const parts = new Map<number, PartResult>();
  for (const name of await readdir(folder)) {
    const found = /^part-(\d+)-of-(\d+)-kept-(\d+)-failed-(\d+)\.parquet$/.exec(name);
    if (found === null) {
      if (name.endsWith(".unfinished")) await rm(join(folder, name), { force: true });
      continue;
    }
    const [part, read, written, quarantined] = found.slice(1).map(Number) as [number, number, number, number];
    const file = resolve(folder, name);
    parts.set(part, { part, file, read, written, dropped: read - written - quarantined, quarantined });
  }
  return parts;
}
