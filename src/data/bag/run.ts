import { createReadStream } from "node:fs";
import { resolve } from "node:path";
import { createInterface } from "node:readline";
import { PawlError } from "../../errors.ts";
import { type Future, Pool } from "../../pool/index.ts";
import { sizeText } from "../../sizes.ts";
import { orAborted, withTimeout } from "../../timers.ts";
import type { Collected, Collector } from "./collect.ts";
import { type Gather, gatherOf, type Partitioned } from "./exchange.ts";
import { findFiles, linesBefore, rangesOf } from "./files.ts";
import { type RunSettings, workingBytes } from "./options.ts";
import {
  type BagFile,
  type BagPart,
  foldStates,
  type LineFormat,
  type PairSide,
  type PartInput,
  type PartReply,
  runPart,
  type Where,
} from "./part.ts";
import { publishFile } from "./publish.ts";
import type { SetAside } from "./quarantine.ts";
import { type SpillSegment, totalValues } from "./segments.ts";
import { SpillFolder } from "./spill-folder.ts";
import {
  type BagSource,
  type Exchange,
  type ItemStep,
  isExchange,
  type Plan,
  type SentFunction,
} from "./steps.ts";
import { type BagCounts, Tally } from "./tally.ts";

const MB = 1024 * 1024;

/** Bytes of a range of a file. Large enough that a message costs nothing beside it. */
const RANGE_BYTES = 8 * MB;
/** Bytes of values that are put aside together, at most. */
const BLOCK_BYTES = 128 * 1024;
/** Bytes of values that a part may return without a file. */
const INLINE_BYTES = MB;
/** Lines and what JSON makes of them live for a moment only: more would take memory and no less time. */
const YOUNG_BYTES = 12 * MB;
/** Items of the program that are sent together, at most. */
const SENT_ITEMS = 2_000;
/** Of how many bytes a partition is made where nothing tells how many there are. */
const UNKNOWN_BYTES = 512 * MB;
const MOST_PARTITIONS = 256;

type PartOutput = { readonly reply: PartReply; readonly input: PartInput };

/** One run of a bag: its workers, its spill folder and what it counts. */
export class BagRun implements AsyncDisposable {
  readonly settings: RunSettings;
  readonly tally: Tally = new Tally();
  readonly #pool: Pool;
  readonly #spill: SpillFolder = new SpillFolder();
  readonly #stop = new Int32Array(new SharedArrayBuffer(4));
  readonly #started = performance.now();
  readonly #onAbort = () => Atomics.store(this.#stop, 0, 1);
  #parts = 0;
  #inlineBytes = 0;
  #bytes = 0;
  #totalBytes: number | null = 0;
  #complete = true;
  readonly #proofs: FileProof[] = [];

  constructor(settings: RunSettings) {
    settings.signal?.throwIfAborted();
    this.settings = settings;
    this.#pool = poolOf(settings.workers);
    settings.signal?.addEventListener("abort", this.#onAbort, { once: true });
  }

  /** Whether all of the input was read. */
  get complete(): boolean {
    return this.#complete;
  }

  /** What was counted, which adds up; malformed lines are in their quarantine by then. */
  async finish(): Promise<BagCounts> {
    const byTarget = Map.groupBy(
      this.#proofs.filter(({ quarantine }) => quarantine !== null),
      ({ quarantine }) => resolve(quarantine as string),
    );
    for (const [target, proofs] of byTarget)
      await publishFile(target, async (write) => {
        for (const proof of proofs) this.tally.quarantined(await proof.writeAside(write));
      });
    return this.tally.checked();
  }

  /** The folder for the files of this run that are not published. */
  get folder(): string {
    return this.#spill.path;
  }

  /** What the parts of a plan give, in order. Leaving the loop early stops what runs. */
  async *collected(plan: Plan, collector: Collector): AsyncGenerator<Collected> {
    for await (const { reply } of this.#stages(plan, collector))
      if (reply.collected !== null) yield reply.collected;
  }

  /** Folds the states of parts in order, in a worker: the function is the user's. */
  async fold(combine: SentFunction, states: readonly unknown[]): Promise<unknown> {
    return await this.#waited(this.#pool.submit(foldStates, combine, states));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    Atomics.store(this.#stop, 0, 1);
    this.settings.signal?.removeEventListener("abort", this.#onAbort);
    this.#spill[Symbol.dispose]();
  }

  async *#stages(plan: Plan, last: Collector): AsyncGenerator<PartOutput> {
    const { source, steps } = plan;
    let inputs = await this.#inputs(source);
    let check = false;
    let from = 0;
    for (let at = 0; at <= steps.length; at++) {
      const step = steps[at];
      if (step !== undefined && !isExchange(step)) continue;
      const before = steps.slice(from, at) as readonly ItemStep[];
      // What JSON gave, or lines, can be written as it is; what functions of the user made may not.
      check ||= source.kind === "items" || before.some((each) => "fn" in each);
      if (step === undefined) {
        yield* this.#stage(inputs, before, last, check);
        return;
      }
      inputs = await this.#exchanged(step, inputs, before, check);
      check ||= step.kind === "foldBy" || "by" in step;
      from = at + 1;
    }
  }

  /** Brings items together, and gives the parts that go on from there. */
  async #exchanged(
    step: Exchange,
    inputs: Inputs,
    before: readonly ItemStep[],
    check: boolean,
  ): Promise<Inputs> {
    if (step.kind === "zip") return await this.#zipped(inputs, before, check, step.other);
    const partitions = this.#partitions(inputs.bytes);
    if (step.kind === "join") {
      const side = await this.#gather(inputs, before, check, { kind: "side", by: step.by }, partitions);
      const other = await this.#side(step.other, { kind: "side", by: step.otherBy }, partitions);
      return this.#partitionInputs({ kind: "join" }, side, other);
    }
    const gather = gatherOf(step);
    return this.#partitionInputs(gather, await this.#gather(inputs, before, check, gather, partitions), null);
  }

  async #gather(
    inputs: Inputs,
    before: readonly ItemStep[],
    check: boolean,
    gather: Gather | { readonly kind: "side"; readonly by: Exclude<Gather, { kind: "frequencies" }>["by"] },
    partitions: number,
  ): Promise<Partitioned> {
    const sums: SpillSegment[][] = Array.from({ length: partitions }, () => []);
    for await (const { reply } of this.#stage(inputs, before, { kind: "gather", gather, partitions }, check))
      merge(sums, reply.collected);
    return sums;
  }

  async #side(
    plan: Plan,
    gather: { readonly kind: "side"; readonly by: Exclude<Gather, { kind: "frequencies" }>["by"] },
    partitions: number,
  ): Promise<Partitioned> {
    const sums: SpillSegment[][] = Array.from({ length: partitions }, () => []);
    for await (const { reply } of this.#stages(plan, { kind: "gather", gather, partitions }))
      merge(sums, reply.collected);
    return sums;
  }

  #partitionInputs(
    gather: Gather | { readonly kind: "join" },
    partitioned: Partitioned,
    other: Partitioned | null,
  ): Inputs {
    const most = this.#partitionBytes;
    const inputs = partitioned.map(
      (segments, at): PartInput => ({
        kind: "partition",
        gather,
        partition: { segments, other: other === null ? null : (other[at] ?? []), level: 0, most },
      }),
    );
    const filled = inputs.filter(
      (input) => input.kind === "partition" && input.partition.segments.length > 0,
    );
    return {
      parts: filled,
      bytes: partitioned.flat().reduce((sum, { bytes }) => sum + bytes, 0),
      isSource: false,
    };
  }

  /** Pairs by position. Both sides are put aside first, since parts of one are not as long as those of the other. */
  async #zipped(inputs: Inputs, before: readonly ItemStep[], check: boolean, other: Plan): Promise<Inputs> {
    const left: SpillSegment[] = [];
    for await (const { reply } of this.#stage(inputs, before, { kind: "items" }, check))
      put(left, reply.collected);
    const right: SpillSegment[] = [];
    for await (const { reply } of this.#stages(other, { kind: "items" })) put(right, reply.collected);
    const [one, two] = [totalValues(left), totalValues(right)];
    if (one !== two)
      throw new PawlError(
        "bag.zip",
        `The two bags of a zip have ${one} and ${two} items: only bags with as many items can be paired.`,
      );
    return {
      parts: pairInputs(left, right),
      bytes: left.reduce((sum, { bytes }) => sum + bytes, 0) * 2,
      isSource: false,
    };
  }

  async #inputs(source: BagSource): Promise<Inputs> {
    if (source.kind === "items") {
      this.#totalBytes = null;
      return { parts: itemInputs(source.items), bytes: null, isSource: true };
    }
    const paths = source.kind === "replay" ? [source.path] : source.paths;
    const files = await findFiles(paths);
    const bytes = files.reduce((sum, { size }) => sum + size, 0);
    if (this.#totalBytes !== null) this.#totalBytes += bytes;
    const { malformed, includePath, kind, fields } = source;
    const format: LineFormat = {
      kind,
      malformed: typeof malformed === "object" ? "quarantine" : malformed,
      includePath,
      fields,
      longest: this.#longestLine,
    };
    const packed = files.some(({ compression }) => compression !== null);
    return {
      parts: rangesOf(files, format, this.#rangeBytes),
      bytes: packed ? bytes * 10 : bytes,
      isSource: true,
      files,
      quarantine: typeof malformed === "object" ? malformed.quarantine : null,
    };
  }

  get #rangeBytes(): number {
    return Math.max(
      MB,
      Math.min(RANGE_BYTES, Math.floor(workingBytes(this.settings) / (8 * this.settings.workers))),
    );
  }

  /** A line is held as bytes, as text and as what JSON makes of it, which may take ten times as much. */
  get #longestLine(): number {
    return Math.max(MB, Math.floor(workingBytes(this.settings) / (16 * this.settings.workers)));
  }

  /** Bytes of a partition as it is written; in memory it takes several times as much. */
  get #partitionBytes(): number {
    return Math.max(MB, Math.floor(workingBytes(this.settings) / (20 * this.settings.workers)));
  }

  /** Of each partition a worker holds one block, and its values take several times as much. */
  #blockBytes(collector: Collector): number {
    const writers = collector.kind === "gather" ? collector.partitions : 1;
    const room = workingBytes(this.settings) / (20 * this.settings.workers * writers);
    return Math.max(16 * 1024, Math.min(BLOCK_BYTES, Math.floor(room)));
  }

  #partitions(bytes: number | null): number {
    return Math.max(
      1,
      Math.min(MOST_PARTITIONS, Math.ceil((2 * (bytes ?? UNKNOWN_BYTES)) / this.#partitionBytes)),
    );
  }

  /** Runs parts in the workers, and gives what they reply in the order of their inputs. */
  async *#stage(
    inputs: Inputs,
    steps: readonly ItemStep[],
    collector: Collector,
    check: boolean,
  ): AsyncGenerator<PartOutput> {
    const accumulates = steps.flatMap((step) => (step.kind === "accumulate" ? [step.initial] : []));
    // Each part of a step with a state waits for the one before it.
    const width = accumulates.length > 0 ? 1 : 2 * this.settings.workers + 1;
    let states: readonly unknown[] = accumulates;
    const files = new FileProof(inputs.quarantine ?? null);
    this.#proofs.push(files);
    const source = iteratorOf(inputs.parts);
    const slots: { input: PartInput; future: Future<PartReply>; reply: Promise<PartReply> }[] = [];
    const submit = (input: PartInput) => {
      const part: BagPart = {
        input,
        steps,
        collector,
        states,
        ...this.#placeOf(collector, check),
        stop: this.#stop,
      };
      const future = this.#pool.submit(runPart, part);
      const reply = this.#waited(future);
      reply.catch(() => {});
      return { input, future, reply };
    };
    let ended = false;
    try {
      for (;;) {
        while (!ended && slots.length < width) {
          const { done, value } = await source.next();
          if (done) ended = true;
          else slots.push(submit(value));
        }
        const [slot] = slots;
        if (slot === undefined) break;
        let reply: PartReply;
        try {
          reply = await slot.reply;
        } catch (error) {
          throw await this.#told(error);
        }
        // Only now: what ends this run waits for the parts that are here.
        slots.shift();
        this.settings.signal?.throwIfAborted();
        if (reply.split !== null) {
          slots.unshift(...splitInputs(slot.input, reply.split.segments, reply.split.other).map(submit));
          continue;
        }
        ({ states } = reply);
        if (inputs.isSource) this.#count(slot.input, reply, files);
        else if (!reply.complete) this.#complete = false;
        this.#note(reply);
        yield { reply, input: slot.input };
        if (!reply.complete) break;
      }
    } finally {
      if (!ended || slots.length > 0) this.#complete = false;
      if (!ended) await source.return?.(undefined);
      // What still runs writes into the spill folder, which must outlive it.
      if (slots.length > 0) {
        Atomics.store(this.#stop, 0, 1);
        await stopped(slots.map(({ future }) => future));
        if (this.settings.signal?.aborted !== true) Atomics.store(this.#stop, 0, 0);
      }
    }
  }

  #count(input: PartInput, reply: PartReply, files: FileProof): void {
    this.tally.add(reply.counts);
    files.add(input, reply);
    if (!reply.complete) this.#complete = false;
    if (input.kind === "range") this.#bytes += input.end - input.start;
    const { onProgress } = this.settings;
    if (onProgress === undefined) return;
    const elapsed = performance.now() - this.#started;
    const total = this.#totalBytes;
    const remaining =
      total === null || this.#bytes === 0 ? null : (elapsed * (total - this.#bytes)) / this.#bytes;
    onProgress({ ...this.tally.counts, bytes: this.#bytes, totalBytes: total, elapsed, remaining });
  }

  #note({ collected }: PartReply): void {
    const segments =
      collected?.kind === "items"
        ? collected.segments
        : collected?.kind === "gathered"
          ? collected.partitions.flat()
          : [];
    for (const { at, bytes } of segments) if (at instanceof Uint8Array) this.#inlineBytes += bytes;
  }

  #placeOf(collector: Collector, check: boolean): Pick<BagPart, "name" | "spill"> {
    const number = String(this.#parts++).padStart(6, "0");
    const name = `part-${number}`;
    const left = workingBytes(this.settings) / 8 - this.#inlineBytes;
    const inline = left > 0 ? INLINE_BYTES : 0;
    return {
      name: collector.kind === "write" ? `${name}${collector.ending}` : name,
      spill: { folder: this.folder, name, inline, check, block: this.#blockBytes(collector) },
    };
  }

  /** The result of a call, or the reason of the signal, whether the call listens to it or not. */
  async #waited<T>(future: Future<T>): Promise<T> {
    const { signal } = this.settings;
    return await (signal === undefined ? future.result() : orAborted(future.result(), signal));
  }

  /** The error of a part with the file and the line. */
  async #told(error: unknown): Promise<unknown> {
    if (!(error instanceof PawlError) || !("where" in error)) return error;
    const { file, offset, before, path, packed } = error.where as Where;
    const place =
      file === ""
        ? `Item ${offset + 1}`
        : `${file}:${(packed ? before : await linesBefore(path, offset).catch(() => before)) + 1}`;
    return new PawlError(error.code, `${place}: ${error.message}`, { cause: error.cause ?? error });
  }
}

/** One pool for all runs with as many workers: they start once, and end when they had nothing to do for a while. */
const pools = new Map<number, Pool>();

function poolOf(workers: number): Pool {
  const known = pools.get(workers);
  if (known !== undefined) return known;
  const pool = new Pool({ workers, youngHeapPerWorker: YOUNG_BYTES });
  pools.set(workers, pool);
  return pool;
}

/** Milliseconds in which a part that is told to stop may do so by itself. */
const GRACE_MS = 250;

/** Waits until parts have stopped. The worker of one whose function does not return is ended. */
async function stopped(futures: readonly Future<unknown>[]): Promise<void> {
  const all = Promise.allSettled(futures.map((future) => future.result()));
  await withTimeout(all, GRACE_MS, () => {
    for (const future of futures) future.cancel({ kill: true });
  });
  await all;
}

/** What a stage begins with. */
interface Inputs {
  readonly parts: Iterable<PartInput> | AsyncIterable<PartInput>;
  /** How many bytes there are about; null where nothing tells. */
  readonly bytes: number | null;
  /** Whether the parts are lines of files or items of the program, which are counted. */
  readonly isSource: boolean;
  readonly files?: readonly BagFile[];
  /** Where malformed lines go. */
  readonly quarantine?: string | null;
}

/**
 * Proves that every byte of every file was in exactly one line of exactly one part, and brings the malformed lines of all parts together,
 * with the numbers of their lines.
 */
class FileProof {
  /** The file that malformed lines go to; null where they go nowhere. */
  readonly quarantine: string | null;
  readonly #aside: { readonly file: string; readonly linesBefore: number; readonly lines: number }[] = [];
  #path = "";
  /** Where the next line begins. */
  #at = 0;
  #lines = 0;

  constructor(quarantine: string | null) {
    this.quarantine = quarantine;
  }

  add(input: PartInput, { lines, complete, quarantined }: PartReply): void {
    if (input.kind !== "range" || lines === null) return;
    const { file } = input;
    if (file.path !== this.#path) {
      this.#path = file.path;
      this.#at = file.compression === null ? Math.min(file.mark, file.size) : 0;
      this.#lines = 0;
    }
    if (quarantined !== null) this.#aside.push({ ...quarantined, linesBefore: this.#lines });
    this.#lines += lines.count;
    if (!complete || file.compression !== null) return;
    if (lines.first !== null) {
      if (lines.first !== this.#at) this.#refuse(file, lines.first);
      this.#at = lines.behind;
    }
    if (input.end === file.size && this.#at !== file.size) this.#refuse(file, file.size);
  }

  /** Writes the malformed lines with their files and lines, and says how many they are. */
  async writeAside(write: (text: string) => Promise<void>): Promise<number> {
    let count = 0;
    for (const { file, linesBefore } of this.#aside)
      for await (const text of createInterface({
        input: createReadStream(file),
        crlfDelay: Number.POSITIVE_INFINITY,
      })) {
        const { file: name, line, before, ...others } = JSON.parse(text) as SetAside;
        await write(`${JSON.stringify({ file: name, line: line ?? linesBefore + before + 1, ...others })}\n`);
        count++;
      }
    return count;
  }

  #refuse({ name }: BagFile, at: number): never {
    throw new PawlError(
      "bag.counts",
      `${name} was not read whole: a line that begins at byte ${this.#at} was expected, and byte ${at} came: this is a defect of Pawl.`,
    );
  }
}

function merge(sums: SpillSegment[][], collected: Collected | null): void {
  if (collected?.kind !== "gathered") return;
  for (const [at, segments] of collected.partitions.entries()) (sums[at] as SpillSegment[]).push(...segments);
}

function put(into: SpillSegment[], collected: Collected | null): void {
  if (collected?.kind === "items") into.push(...collected.segments);
}

function splitInputs(input: PartInput, segments: Partitioned, other: Partitioned | null): PartInput[] {
  if (input.kind !== "partition") return [];
  const { partition } = input;
  return segments.flatMap((each, at) =>
    each.length === 0
      ? []
      : [
          {
            ...input,
            partition: {
              ...partition,
              segments: each,
              other: other === null ? null : (other[at] ?? []),
              level: partition.level + 1,
            },
          },
        ],
  );
}

/** The segments of the left, a few at a time, with those of the right that stand beside them. */
function* pairInputs(left: readonly SpillSegment[], right: readonly SpillSegment[]): Generator<PartInput> {
  let at = 0;
  let start = 0;
  let done = 0;
  for (let from = 0; from < left.length; ) {
    let bytes = 0;
    let to = from;
    while (to < left.length && (bytes < 4 * MB || to === from)) bytes += (left[to++] as SpillSegment).bytes;
    const one: PairSide = { segments: left.slice(from, to), skip: 0 };
    const pairs = totalValues(one.segments);
    while (at < right.length && start + (right[at] as SpillSegment).values <= done)
      start += (right[at++] as SpillSegment).values;
    const beside: SpillSegment[] = [];
    for (let next = at, reached = start; next < right.length && reached < done + pairs; next++) {
      beside.push(right[next] as SpillSegment);
      reached += (right[next] as SpillSegment).values;
    }
    yield { kind: "pairs", left: one, right: { segments: beside, skip: done - start }, pairs };
    done += pairs;
    from = to;
  }
}

async function* itemInputs(items: Iterable<unknown> | AsyncIterable<unknown>): AsyncGenerator<PartInput> {
  let held: unknown[] = [];
  let first = 0;
  // Few at first, so that a result which needs few asks for few.
  let enough = 16;
  for await (const item of items) {
    if (held.push(item) < enough) continue;
    yield { kind: "items", items: held, first };
    first += held.length;
    held = [];
    enough = Math.min(SENT_ITEMS, enough * 2);
  }
  if (held.length > 0) yield { kind: "items", items: held, first };
}

function iteratorOf<T>(
  items: Iterable<T> | AsyncIterable<T>,
): AsyncIterator<T, unknown, undefined> | Iterator<T, unknown, undefined> {
  return Symbol.asyncIterator in items ? items[Symbol.asyncIterator]() : items[Symbol.iterator]();
}

/** Throws where a result is more than memory has room for. */
export function assertRoom(
  bytes: number,
  { memory, workers }: RunSettings,
  what: string,
  advice: string,
): void {
  const room = workingBytes({ memory, workers } as RunSettings) / 4;
  if (bytes <= room) return;
  throw new PawlError(
    "bag.too-large",
    `${what} take more than ${sizeText(room)}, as much as memory has room for: ${advice}.`,
  );
}
