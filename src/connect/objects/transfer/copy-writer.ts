import type { CheckpointBuilder, Chunk, Failure, WriteOutcome, Writer } from "../../../batch/contract.ts";
import { ItemError, PawlError, TransientError } from "../../../errors.ts";
import { isSignatureRefused } from "../bucket-service/errors.ts";
import { isSameByCache, isSameByListing, isSameContent } from "../compare/same-content.ts";
import type { ExistenceCheck, ObjectEntry, ObjectReader, ObjectWriter, PresentObject } from "../contract.ts";
import { explainResponse, isTransientFailure, ResponseError } from "../http/response-error.ts";
import { retryRequest } from "../http/retry-request.ts";
import type { NameComparison } from "../names/case-folding.ts";
import type { NameRegistry } from "../names/name-registry.ts";
import { redactedUrl, shownUrl } from "../web/redacted-url.ts";
import { type TransferContext, transfer } from "./transfer.ts";
import type { WrittenLog, WrittenObject } from "./written-log.ts";

/** What became of one object. */
type ObjectResult = "written" | "unchanged" | "skipped" | ObjectFailure;

type ObjectFailure = Omit<Failure, "index">;

interface Finished {
  readonly entry: ObjectEntry;
  readonly result: ObjectResult;
}

export interface CopyWriterOptions {
  /** Remove each object from the source once its copy is safe. */
  readonly move: boolean;
  /** Whether `seenInTarget` still holds: an object that is moved, or has another name, must be checked again. */
  readonly trustsListing: boolean;
  readonly writtenLog: WrittenLog;
  /** Null where each object keeps its name. */
  readonly names: NameRegistry | null;
}

/** Writes the objects of one range of the listing, chunk by chunk. */
export class CopyWriter implements Writer<ObjectEntry> {
  /** The store keeps the checkpoints. */
  readonly checkpoint = null;
  readonly #context: TransferContext;
  readonly #move: boolean;
  readonly #trustsListing: boolean;
  readonly #writtenLog: WrittenLog;
  /** Null where each object keeps its name. */
  readonly #names: NameRegistry | null;
  readonly #existence: ExistenceCheck;
  /** Whether an earlier attempt has written objects without coming to its checkpoint. */
  readonly #hasEarlierWork: boolean;
  /** Objects that had changed when they were to be removed, and are copied again. */
  readonly #changed = new Set<string>();
  /** The names that a transform gave to objects. */
  readonly #givenNames = new WeakMap<ObjectEntry, string>();
  /** The keys of the last chunk, whose checkpoint is stored once the next chunk is written. */
  #lastChunk: readonly string[] = [];

  constructor(context: TransferContext, { move, trustsListing, writtenLog, names }: CopyWriterOptions) {
    this.#context = context;
    this.#names = names;
    this.#move = move;
    this.#trustsListing = trustsListing;
    this.#writtenLog = writtenLog;
    this.#existence = context.writer.existenceCheck();
    this.#hasEarlierWork = !writtenLog.isEmpty;
  }

  async write(chunk: Chunk<ObjectEntry>, buildCheckpoint: CheckpointBuilder): Promise<void> {
    this.#writtenLog.forget(this.#lastChunk);
    this.#lastChunk = [];
    const processed = await processChunk(chunk, this.#context, {
      existence: this.#existence,
      decideByName: (entry) =>
        this.#trustsListing && entry.seenInTarget === true ? "unchanged" : this.#registerName(entry),
      decideByListing: (entry, present) => this.#resultByListing(entry, present),
      work: (entry, present) => this.#copy(entry, present),
    });
    await this.#context.writer.flush();
    this.#noteLeftOut(processed.finished);
    await buildCheckpoint(processed.counts);
    this.#lastChunk = processed.keys;
  }

  async finish(): Promise<void> {}

  async close(): Promise<void> {}

  /** Registers the name of an object; a failure where another object has it. A transform gives its names later. */
  #registerName(entry: ObjectEntry): ObjectResult | null {
    if (this.#names === null || this.#context.transform !== null) return null;
    const other = this.#names.give(entry.key, originOf(entry));
    return other === null
      ? null
      : { reason: nameTakenBy(entry.key, other, this.#names.comparison), code: "copy.taken" };
  }

  /** The result of an object that needs no work, as both listings show; null where it needs some. */
  #resultByListing(entry: ObjectEntry, present: PresentObject | undefined): ObjectResult | null {
    if (this.#move || this.#context.transform !== null || present === undefined) return null;
    const { reader, writer } = this.#context;
    if (!isSameByListing(entry, present) && !isSameByCache(entry, present, reader, writer)) return null;
    return this.#writtenBefore(entry)?.size === present.size ? "written" : "unchanged";
  }

  async #copy(entry: ObjectEntry, present: PresentObject | undefined): Promise<ObjectResult> {
    const { reader, writer } = this.#context;
    // An object that has changed since it was listed or copied is copied as it is now.
    const { result, version } = this.#changed.has(entry.key)
      ? await this.#write({ ...entry, size: null, etag: null }, undefined)
      : await this.#write(entry, present);
    if (!this.#move || result === "skipped" || version === null) return result;
    await writer.flush();
    if (await writer.isSource?.(reader, entry))
      throw new ItemError("it and its copy are one file, to which a link leads: it is not removed", {
        code: "copy.itself",
      });
    try {
      await reader.remove(entry, version);
    } catch (error) {
      if (error instanceof TransientError && error.code === "copy.changed") {
        this.#changed.add(entry.key);
        this.#writtenLog.forget([entry.key]);
      }
      throw error;
    }
    this.#changed.delete(entry.key);
    return result;
  }

  /** Notes objects without a copy, before the checkpoint is stored: they are not missed when the run ends. */
  #noteLeftOut(finished: readonly Finished[]): void {
    const names = (hasCopy: boolean) =>
      finished.flatMap(({ entry, result }) => {
        if ((result === "written" || result === "unchanged") !== hasCopy) return [];
        // Another object has this name.
        if (typeof result === "object" && result.code === "copy.taken") return [];
        return (this.#context.transform === null ? entry.key : this.#givenNames.get(entry)) ?? [];
      });
    this.#writtenLog.leaveOut(names(false), names(true));
  }

  #writtenBefore({ key }: ObjectEntry): WrittenObject | null {
    return this.#hasEarlierWork ? this.#writtenLog.find(key) : null;
  }

  /** Whether the target still has what a transform made of an object: an earlier attempt alone does not prove that. */
  async #isStillPresent(entry: ObjectEntry): Promise<boolean> {
    const names = this.#names?.namesOf(originOf(entry)) ?? [];
    return (await this.#context.writer.existenceCheck("fresh").find(names)).size > 0;
  }

  /** Copies an object where that is needed; also returns the version of the source that the target has then. */
  async #write(
    entry: ObjectEntry,
    present: PresentObject | undefined,
  ): Promise<{ result: ObjectResult; version: string | null }> {
    const { reader, writer, transform } = this.#context;
    // An object that a killed process has written is not written again, and counts as written.
    const written = this.#changed.has(entry.key) ? null : this.#writtenBefore(entry);
    if (transform !== null) {
      if (written !== null && (await this.#isStillPresent(entry)))
        return { result: "written", version: written.version };
      const copied = await transform.transfer(entry, this.#context, (key) => {
        const other = this.#names?.give(key, originOf(entry)) ?? null;
        if (other !== null)
          throw new ItemError(nameTakenBy(key, other, this.#names?.comparison), { code: "copy.taken" });
        this.#givenNames.set(entry, key);
      });
      if (copied === null) return { result: "skipped", version: null };
      this.#writtenLog.add(entry.key, copied);
      return { result: "written", version: copied.version };
    }
    if (present !== undefined) {
      if (written?.size === present.size) return { result: "written", version: written.version };
      // Asked before it is compared, since the version that is removed must be the one that was compared.
      const version = this.#move ? await reader.version(entry) : null;
      if (await isSameContent(entry, present, reader, writer)) return { result: "unchanged", version };
    }
    const copied = await transfer(entry, this.#context);
    this.#writtenLog.add(entry.key, copied);
    return { result: "written", version: copied.version };
  }
}

/** What would become of the objects of a chunk, as far as both sides show without writing. */
export async function dryRun(chunk: Chunk<ObjectEntry>, context: TransferContext): Promise<WriteOutcome> {
  const { counts } = await processChunk(chunk, context, {
    existence: context.writer.existenceCheck(),
    decideByName: () => null,
    decideByListing: () => null,
    work: async (entry, present) => {
      if (context.transform !== null || present === undefined) return "written";
      return (await isSameContent(entry, present, context.reader, context.writer)) ? "unchanged" : "written";
    },
  });
  return counts;
}

/** Where an object is read, as it may be stored: without the query of a URL. */
function originOf({ key, from = key }: ObjectEntry): string {
  return redactedUrl(from);
}

function nameTakenBy(key: string, other: string, comparison: NameComparison = "exact"): string {
  const why = comparison === "exact" ? "" : "; names that differ only by case are one in the target";
  return `the name ${key} is given to another object, ${shownUrl(other)}${why}`;
}

/** What happens to the objects of a chunk: a copy and a dry run differ in it. */
interface ChunkWork {
  readonly existence: ExistenceCheck;
  /** The result of an object that needs no request; null where the target has to be asked. */
  decideByName(entry: ObjectEntry): ObjectResult | null;
  /** The result of an object that needs no work, by what the target has; null where it needs some. */
  decideByListing(entry: ObjectEntry, present: PresentObject | undefined): ObjectResult | null;
  work(entry: ObjectEntry, present: PresentObject | undefined): Promise<ObjectResult>;
}

/** Takes each object of a chunk through these steps, many at once, and counts the results. */
async function processChunk(
  chunk: Chunk<ObjectEntry>,
  context: TransferContext,
  { existence, decideByName, decideByListing, work }: ChunkWork,
): Promise<{
  counts: WriteOutcome;
  keys: readonly string[];
  /** Objects with a valid entry, with their results. */
  finished: readonly Finished[];
}> {
  const { writer, limits, signal } = context;
  const entries: ObjectEntry[] = [];
  for await (const slice of chunk.slices()) entries.push(...(slice as readonly ObjectEntry[]));
  const before = entries.map((entry) => refusedResult(entry, context) ?? decideByName(entry));
  const possible = entries.filter((_, at) => before[at] === null);
  const present = await retryRequest(() => existence.find(possible.map(({ key }) => key)), signal).catch(
    (error) => {
      throw explainResponse(error);
    },
  );
  // What stops one object, such as a full disk, would stop the others too, each after all its attempts.
  const stop = new AbortController();
  const either = AbortSignal.any([signal, stop.signal]);
  const one = async (entry: ObjectEntry, comesTo: ObjectResult | null): Promise<ObjectResult> => {
    if (comesTo !== null) return comesTo;
    // An object that needs no request takes no turn, and says nothing about how many are good at once.
    const result = decideByListing(entry, present.get(entry.key));
    if (result !== null) return result;
    try {
      return await limits.run(
        (overloaded) => retryRequest(() => work(entry, present.get(entry.key)), either, overloaded),
        either,
      );
    } catch (error) {
      stop.signal.throwIfAborted();
      return await failureOf(error, context.reader, writer).catch((reason) => {
        stop.abort(reason);
        throw reason;
      });
    }
  };
  // No object may still be in work when the chunk is given up.
  const ended = await Promise.allSettled(entries.map((entry, at) => one(entry, before[at] ?? null)));
  stop.signal.throwIfAborted();
  const failures: Failure[] = [];
  const counts = { written: 0, unchanged: 0, skipped: 0 };
  const results = ended.map((end) => {
    if (end.status === "rejected") throw end.reason;
    return end.value;
  });
  for (const [index, result] of results.entries()) {
    if (typeof result === "string") counts[result]++;
    else failures.push({ index, ...result });
  }
  return {
    counts: { ...counts, duplicates: 0, failures },
    keys: possible.map(({ key }) => key),
    finished: entries.flatMap((entry, at) =>
      typeof entry?.key === "string" && entry.problem === undefined
        ? [{ entry, result: results[at] as ObjectResult }]
        : [],
    ),
  };
}

/** The result of an object that cannot be copied; null of one that can. */
function refusedResult(entry: ObjectEntry, { writer }: TransferContext): ObjectResult | null {
  if (typeof entry?.key !== "string")
    return {
      reason: "the transform returned something that is not an object of the listing",
      code: "copy.transform",
    };
  const reason = entry.problem ?? writer.nameProblem(entry.key);
  if (reason === null) return null;
  return writer.isFolderMarker?.(entry) ? "skipped" : { reason, code: "copy.refused" };
}

const MEANING_OF_STATUS: Readonly<Record<number, string>> = {
  401: "access is denied",
  403: "access is denied",
  404: "it is not there",
  410: "it is gone for good",
  412: "it was changed while it was read",
};

/**
 * Why one object failed after all attempts; throws where the fault is not that of the object but of a location: then another
 * attempt later, or a person, helps.
 */
async function failureOf(error: unknown, reader: ObjectReader, writer: ObjectWriter): Promise<ObjectFailure> {
  if (error instanceof ItemError) return { reason: error.message, code: error.code };
  if (error instanceof ResponseError && error.fatal !== null) throw error.fatal;
  if (!isTransientFailure(error)) {
    if (error instanceof ResponseError) return refusalOf(error);
    throw error;
  }
  // A full disk, a broken one: it would be the same for all the others.
  if (error instanceof TransientError && error.code === "copy.file") throw error;
  try {
    await reader.check();
    await writer.prepare(true);
  } catch (cause) {
    if (cause instanceof PawlError && !(cause instanceof TransientError)) throw cause;
    throw error instanceof ResponseError
      ? new TransientError("copy.unavailable", `${error.server} answers ${error.code}`, { cause })
      : error;
  }
  return error instanceof ResponseError
    ? refusalOf(error)
    : { reason: (error as TransientError).message, code: (error as TransientError).code };
}

function refusalOf(error: ResponseError): ObjectFailure {
  const { status, code, server, message } = error;
  if (isSignatureRefused(error))
    return {
      reason: `its signature is refused by ${server}, which accepts others: something between here and there changes its name or its headers`,
      code: `copy.${status}`,
    };
  const meaning = MEANING_OF_STATUS[status];
  const detail = message === "" || message === code ? "" : `: ${message}`;
  return {
    reason:
      meaning === undefined ? `${server} answers ${code}${detail}` : `${meaning} (${code} from ${server})`,
    code: `copy.${status}`,
  };
}
