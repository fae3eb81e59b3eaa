import type { Chunk, Failure, Seal, WriteOutcome, Writer } from "../../../batch/contract.ts";
import { ItemError, TransientError } from "../../../errors.ts";
import { isSameByCache, isSameByListing, isSameContent } from "../compare/same-content.ts";
import type { ExistenceCheck, ObjectEntry, PresentObject } from "../contract.ts";
import { explainResponse } from "../http/response-error.ts";
import { retryRequest } from "../http/retry.ts";
import { redactedUrl, shownUrl } from "../web/redacted-url.ts";
import { reasonFor } from "./failure-reason.ts";
import type { NameRegistry } from "./name-registry.ts";
import { type TransferContext, transfer } from "./transfer.ts";
import type { WrittenLog, WrittenObject } from "./written-log.ts";

/** What became of one object. */
type ObjectResult = "written" | "unchanged" | "skipped" | Omit<Failure, "index">;

interface Finished {
  readonly entry: ObjectEntry;
  readonly result: ObjectResult;
}

export interface CopyWriterOptions {
  /** Remove each object from the source once its copy is safe. */
  readonly move: boolean;
  /** Believe what was seen of the target while the source was listed. A step may have changed what it was about. */
  readonly trustsListing: boolean;
  readonly writtenLog: WrittenLog;
  /** Null where each object keeps its name. */
  readonly names: NameRegistry | null;
}

/** Writes the objects of one range of the listing, chunk by chunk. */
export class CopyWriter implements Writer<ObjectEntry> {
  /** The store holds the truth. */
  readonly checkpoint = null;
  readonly #ways: TransferContext;
  readonly #move: boolean;
  readonly #trusts: boolean;
  readonly #done: WrittenLog;
  /** Null where each object keeps its name. */
  readonly #taken: NameRegistry | null;
  readonly #lookout: ExistenceCheck;
  /** An attempt before this one has left something. */
  readonly #hasLeft: boolean;
  /** Objects that were another by the time they were to be removed, and are copied again. */
  readonly #changed = new Set<string>();
  /** The names that a transform gave. */
  readonly #named = new WeakMap<ObjectEntry, string>();
  /** Of the chunk before: its checkpoint stands once the next one is asked for. */
  #before: readonly string[] = [];

  constructor(ways: TransferContext, { move, trustsListing, writtenLog, names }: CopyWriterOptions) {
    this.#ways = ways;
    this.#taken = names;
    this.#move = move;
    this.#trusts = trustsListing;
    this.#done = writtenLog;
    this.#lookout = ways.writer.existenceCheck();
    this.#hasLeft = !writtenLog.isEmpty;
  }

  async write(chunk: Chunk<ObjectEntry>, seal: Seal): Promise<void> {
    this.#done.forget(this.#before);
    this.#before = [];
    const outcome = await processChunk(chunk, this.#ways, {
      existence: this.#lookout,
      decideByName: (entry) =>
        this.#trusts && entry.seenInTarget === true ? "unchanged" : this.#refuse(entry),
      decideByListing: (entry, present) => this.#known(entry, present),
      work: (entry, present) => this.#copy(entry, present),
    });
    await this.#ways.writer.flush();
    this.#leaveOut(outcome.ends);
    await seal(outcome.counts);
    this.#before = outcome.keys;
  }

  async finish(): Promise<void> {}

  async close(): Promise<void> {}

  /** What a transform makes gets its name later. */
  #refuse(entry: ObjectEntry): ObjectResult | null {
    if (this.#taken === null || this.#ways.transform !== null) return null;
    const other = this.#taken.give(entry.key, originOf(entry));
    return other === null ? null : { reason: nameTakenBy(entry.key, other), code: "copy.taken" };
  }

  /** What the two listings show, where nothing is left to be done. */
  #known(entry: ObjectEntry, present: PresentObject | undefined): ObjectResult | null {
    if (this.#move || this.#ways.transform !== null || present === undefined) return null;
    const { reader, writer } = this.#ways;
    if (!isSameByListing(entry, present) && !isSameByCache(entry, present, reader, writer)) return null;
    return this.#left(entry)?.size === present.size ? "written" : "unchanged";
  }

  async #copy(entry: ObjectEntry, present: PresentObject | undefined): Promise<ObjectResult> {
    const { reader, writer } = this.#ways;
    // What is not any more as it was listed, or as it was copied, is copied as it is now.
    const { outcome, version } = this.#changed.has(entry.key)
      ? await this.#write({ ...entry, size: null, etag: null }, undefined)
      : await this.#write(entry, present);
    if (!this.#move || outcome === "skipped" || version === null) return outcome;
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
        this.#done.forget([entry.key]);
      }
      throw error;
    }
    this.#changed.delete(entry.key);
    return outcome;
  }

  /** Before the checkpoint stands: what has no copy is not missed once the run is done. */
  #leaveOut(ends: readonly Finished[]): void {
    const names = (hasCopy: boolean) =>
      ends.flatMap(({ entry, result }) => {
        if ((result === "written" || result === "unchanged") !== hasCopy) return [];
        // Another object has the name.
        if (typeof result === "object" && result.code === "copy.taken") return [];
        return (this.#ways.transform === null ? entry.key : this.#named.get(entry)) ?? [];
      });
    this.#done.leaveOut(names(false), names(true));
  }

  #left({ key }: ObjectEntry): WrittenObject | null {
    return this.#hasLeft ? this.#done.find(key) : null;
  }

  /** Whether the target still has what a transform made of an object: nothing is removed on the word of an attempt before. */
  async #isThere(entry: ObjectEntry): Promise<boolean> {
    const names = this.#taken?.namesOf(originOf(entry)) ?? [];
    return (await this.#ways.writer.existenceCheck("fresh").find(names)).size > 0;
  }

  /** Also gives the version of the source that the target has then. */
  async #write(
    entry: ObjectEntry,
    present: PresentObject | undefined,
  ): Promise<{ outcome: ObjectResult; version: string | null }> {
    const { reader, writer, transform } = this.#ways;
    // What a process that died has written was paid for, and counts as written.
    const left = this.#changed.has(entry.key) ? null : this.#left(entry);
    if (transform !== null) {
      if (left !== null && (await this.#isThere(entry))) return { outcome: "written", version: left.version };
      const copied = await transform.transfer(entry, this.#ways, (key) => {
        const other = this.#taken?.give(key, originOf(entry)) ?? null;
        if (other !== null) throw new ItemError(nameTakenBy(key, other), { code: "copy.taken" });
        this.#named.set(entry, key);
      });
      if (copied === null) return { outcome: "skipped", version: null };
      this.#done.add(entry.key, copied);
      return { outcome: "written", version: copied.version };
    }
    if (present !== undefined) {
      if (left?.size === present.size) return { outcome: "written", version: left.version };
      // Before it is compared: what is removed must be what was.
      const version = this.#move ? await reader.version(entry) : null;
      if (await isSameContent(entry, present, reader, writer)) return { outcome: "unchanged", version };
    }
    const copied = await transfer(entry, this.#ways);
    this.#done.add(entry.key, copied);
    return { outcome: "written", version: copied.version };
  }
}

/** What would become of the objects of a chunk, as far as looking at both sides tells. */
export async function dryRun(chunk: Chunk<ObjectEntry>, ways: TransferContext): Promise<WriteOutcome> {
  const { counts } = await processChunk(chunk, ways, {
    existence: ways.writer.existenceCheck(),
    decideByName: () => null,
    decideByListing: () => null,
    work: async (entry, present) => {
      if (ways.transform !== null || present === undefined) return "written";
      return (await isSameContent(entry, present, ways.reader, ways.writer)) ? "unchanged" : "written";
    },
  });
  return counts;
}

/** As it may be kept beside the run. */
function originOf({ key, from = key }: ObjectEntry): string {
  return redactedUrl(from);
}

function nameTakenBy(key: string, other: string): string {
  return `the name ${key} is given to another object, ${shownUrl(other)}`;
}

interface Steps {
  readonly existence: ExistenceCheck;
  /** What an object comes to that the target could hold, without asking for it; null where that is to be found out. */
  decideByName(entry: ObjectEntry): ObjectResult | null;
  /** What became of an object for which nothing needs to be done; null where `work` has to find out. */
  decideByListing(entry: ObjectEntry, present: PresentObject | undefined): ObjectResult | null;
  work(entry: ObjectEntry, present: PresentObject | undefined): Promise<ObjectResult>;
}

/** Does something to each object of a chunk that its target can hold, and counts what became of them. */
async function processChunk(
  chunk: Chunk<ObjectEntry>,
  ways: TransferContext,
  { existence, decideByName, decideByListing, work }: Steps,
): Promise<{
  counts: WriteOutcome;
  keys: readonly string[];
  /** What became of those that have a name, and that are not out of question from the beginning. */
  ends: readonly Finished[];
}> {
  const { writer, limits, signal } = ways;
  const entries: ObjectEntry[] = [];
  for await (const slice of chunk.slices()) entries.push(...(slice as readonly ObjectEntry[]));
  const before = entries.map((entry) => refusedResult(entry, ways) ?? decideByName(entry));
  const possible = entries.filter((_, at) => before[at] === null);
  const present = await retryRequest(() => existence.find(possible.map(({ key }) => key)), signal).catch(
    (error) => {
      throw explainResponse(error);
    },
  );
  // What stops one of them, such as a full disk, would stop the others, each after all its tries.
  const stop = new AbortController();
  const either = AbortSignal.any([signal, stop.signal]);
  const one = async (entry: ObjectEntry, comesTo: ObjectResult | null): Promise<ObjectResult> => {
    if (comesTo !== null) return comesTo;
    // An object that needs no request takes no turn, and says nothing about how many are good at once.
    const outcome = decideByListing(entry, present.get(entry.key));
    if (outcome !== null) return outcome;
    try {
      return await limits.run(
        (trouble) => retryRequest(() => work(entry, present.get(entry.key)), either, trouble),
        either,
      );
    } catch (error) {
      stop.signal.throwIfAborted();
      return await reasonFor(error, ways.reader, writer).catch((reason) => {
        stop.abort(reason);
        throw reason;
      });
    }
  };
  // None may be at work still when the chunk is given up.
  const ended = await Promise.allSettled(entries.map((entry, at) => one(entry, before[at] ?? null)));
  stop.signal.throwIfAborted();
  const failures: Failure[] = [];
  const counts = { written: 0, unchanged: 0, skipped: 0 };
  const results = ended.map((end) => {
    if (end.status === "rejected") throw end.reason;
    return end.value;
  });
  for (const [index, outcome] of results.entries()) {
    if (typeof outcome === "string") counts[outcome]++;
    else failures.push({ index, ...outcome });
  }
  return {
    counts: { ...counts, duplicates: 0, failures },
    keys: possible.map(({ key }) => key),
    ends: entries.flatMap((entry, at) =>
      typeof entry?.key === "string" && entry.problem === undefined
        ? [{ entry, result: results[at] as ObjectResult }]
        : [],
    ),
  };
}

/** What becomes of an object that cannot be copied; null for one that can. */
function refusedResult(entry: ObjectEntry, { writer }: TransferContext): ObjectResult | null {
  if (typeof entry?.key !== "string")
    return { reason: "the step returned something that is not an object of the listing", code: "copy.step" };
  const reason = entry.problem ?? writer.nameProblem(entry.key);
  if (reason === null) return null;
  return writer.isFolderMarker?.(entry) ? "skipped" : { reason, code: "copy.refused" };
}
