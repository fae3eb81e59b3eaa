import { randomInt } from "node:crypto";
import { isDeepStrictEqual } from "node:util";
import type {
  Chunk,
  ChunkSize,
  Cursor,
  Description,
  Ordering,
  PlanOptions,
  Shard,
  ShardPlan,
  Source,
} from "../../../batch/contract.ts";
import type { Json } from "../../../store/contract.ts";
import type { ListedPage, ObjectEntry, ObjectReader } from "../contract.ts";
import type { NameComparison } from "../names/case-folding.ts";
import type { ObjectSelection } from "./selection.ts";
import { type ListedRange, listingPath, StoredListing } from "./stored-listing.ts";

/** A chunk of large objects is cut here, whatever their number. */
const CHUNK_BYTES = 256 * 1024 * 1024;

/** A folder is listed faster than its target can be asked: so many pages of it are asked for at once. */
const PAGES_AHEAD = 4;

/** Key ranges of a listing that are listed at once. */
const KEY_RANGES = 8;

/** Which of some objects a target has already, as far as a quick check tells. Does not fail. */
export type TargetCheck = (entries: readonly ObjectEntry[]) => Promise<readonly boolean[]>;

/** What is asked about the location that objects are copied to. */
export interface TargetView {
  /**
   * How the target compares names, where the listing may hold several objects that it would take for one; null where it cannot.
   * Asked once all are listed.
   */
  nameComparison(): Promise<NameComparison | null>;
  /** For a caller that asks for keys in order; null where asking later takes no longer. */
  checkTarget(): TargetCheck | null;
}

interface ListingShard {
  readonly listing: string;
  readonly from: number;
  readonly to: number;
}

/** The objects of a reader. They are listed once, into a file beside the run; shards are ranges of it. */
export class ObjectSource implements Source<ObjectEntry> {
  readonly #reader: () => Promise<ObjectReader>;
  readonly #selection: ObjectSelection;
  readonly #target: TargetView;
  /** The number under which the listing keeps what this process has seen of the target. */
  readonly #process = randomInt(2 ** 47);

  constructor(
    reader: () => Promise<ObjectReader>,
    selection: ObjectSelection,
    target: TargetView = { nameComparison: async () => null, checkTarget: () => null },
  ) {
    this.#reader = reader;
    this.#selection = selection;
    this.#target = target;
  }

  async describe(): Promise<Description> {
    const reader = await this.#reader();
    await reader.check();
    return {
      name: reader.name,
      unit: "objects",
      columns: null,
      identity: {
        from: reader.name,
        ...this.#selection.identity,
        ...(reader.identity ? { list: await reader.identity() } : {}),
      },
      bytes: null,
      notes: [],
    };
  }

  difference(before: Json, now: Json): string | null {
    const [was, is] = [before as { from?: string }, now as { from?: string }];
    if (was.from !== is.from)
      return `The objects are read from ${is.from} now, and were read from ${was.from}`;
    if (!isDeepStrictEqual((before as { list?: Json }).list, (now as { list?: Json }).list))
      return `${is.from} has changed`;
    return "Other objects are chosen now by `include`, `exclude` or `newer`";
  }

  async shards(n: number, _ordering: Ordering, options: PlanOptions): Promise<ShardPlan> {
    const path = listingPath(options.folder);
    const listing = StoredListing.create(path, this.#process);
    try {
      await this.#list(listing, options);
      const comparison = await this.#target.nameComparison();
      if (comparison !== null) listing.refuseRepeatedNames(comparison);
      const shards = listing.slices(n).map(({ from, to, items, bytes }) => ({
        data: { listing: path, from, to } satisfies ListingShard,
        items,
        bytes,
      }));
      const reader = await this.#reader();
      const nothing = shards.length === 0 ? [this.#selection.nothingLeft(reader.name, listing.listed)] : [];
      const notes = [...nothing, ...(reader.notes?.() ?? [])];
      return { shards, duplicates: null, notes };
    } finally {
      listing.close();
    }
  }

  /** Lists to the end: one page first, then, where there is more and the location can split its keys, many key ranges at once. */
  async #list(listing: StoredListing, { signal, onProgress }: PlanOptions): Promise<void> {
    const reader = await this.#reader();
    const skips = (folder: string) => this.#selection.skips(folder);
    const stop = new AbortController();
    const either = AbortSignal.any([signal, stop.signal]);
    const list = async ({ id, next, last, before }: ListedRange, pages: number): Promise<void> => {
      if (pages === 0) return;
      const checks = Array.from({ length: reader.splitKeys ? 1 : PAGES_AHEAD }, () =>
        this.#target.checkTarget(),
      );
      const add = async ({ page, listed }: { page: Promise<ListedPage>; listed: number }) => {
        listing.add(id, await page, listed);
        onProgress?.(listing.objects, 0);
      };
      // While the next page is listed, the target is asked for those before it.
      const asked: { page: Promise<ListedPage>; listed: number }[] = [];
      let nth = 0;
      for await (const page of reader.list(next, either, { last, before, skips })) {
        either.throwIfAborted();
        const oldest = asked.length === checks.length ? asked.shift() : undefined;
        if (oldest !== undefined) await add(oldest);
        const seen = this.#seen(page, checks[nth++ % checks.length] ?? null);
        asked.push({ page: seen, listed: page.entries.length });
        if (--pages === 0) break;
      }
      for (const page of asked) await add(page);
    };
    const [first, ...others] = listing.openRanges();
    if (first?.id === 0 && first.last === null && others.length === 0 && reader.splitKeys) {
      if (first.next === null) await list(first, 1);
      const [rest] = listing.openRanges();
      if (rest?.next) listing.cut(evenly(await reader.splitKeys(rest.next, signal)));
    }
    const open = listing.openRanges();
    const ended = await Promise.allSettled(
      open.map((range) =>
        list(range, Number.POSITIVE_INFINITY).catch((error) => {
          stop.abort(error);
          throw error;
        }),
      ),
    );
    // The others end with the error of the one that failed first.
    for (const one of ended) if (one.status === "rejected") throw one.reason;
    // Before anything is copied: the key ranges must cover the whole.
    for (const { border, beyond, first } of listing.borders())
      await reader.assertContiguous?.(border, beyond, first, signal);
  }

  /** The chosen objects of a page, marked where the target has them already. */
  async #seen(page: ListedPage, check: TargetCheck | null): Promise<ListedPage> {
    const entries = page.entries.filter((entry) => this.#selection.includes(entry));
    if (check === null || entries.length === 0) return { ...page, entries };
    const isPresent = await check(entries);
    return {
      ...page,
      entries: entries.map((entry, at) => (isPresent[at] ? { ...entry, seenInTarget: true } : entry)),
    };
  }

  async sample(n: number): Promise<readonly ObjectEntry[]> {
    const { signal } = new AbortController();
    const reader = await this.#reader();
    const entries: ObjectEntry[] = [];
    const skips = (folder: string) => this.#selection.skips(folder);
    for await (const page of reader.list(null, signal, { skips })) {
      entries.push(...page.entries.filter((entry) => this.#selection.includes(entry)));
      if (entries.length >= n) break;
    }
    return entries.slice(0, n);
  }

  async *read(
    shard: Shard,
    cursor: Cursor | null,
    size: ChunkSize,
    signal: AbortSignal,
  ): AsyncGenerator<Chunk<ObjectEntry>, void, undefined> {
    const { listing: path, from, to } = shard.data as unknown as ListingShard;
    const listing = StoredListing.read(path, this.#process);
    try {
      for (let next = (cursor as number | null) ?? from; next < to; ) {
        signal.throwIfAborted();
        const page = listing.page(next, to, size.items);
        if (page.length === 0) return;
        let bytes = 0;
        let count = 0;
        for (const { entry } of page) {
          if (count > 0 && bytes + (entry.size ?? 0) > CHUNK_BYTES) break;
          bytes += entry.size ?? 0;
          count++;
        }
        const taken = page.slice(0, count);
        next = (taken.at(-1) as { number: number }).number + 1;
        const reader = await this.#reader();
        yield new ObjectChunk(
          taken.map(({ entry }) => entry),
          bytes,
          next,
          reader,
        );
      }
    } finally {
      listing.close();
    }
  }
}

/** As many of the keys as there should be key ranges besides the first one, evenly spread. */
function evenly(borders: readonly string[]): string[] {
  if (borders.length < KEY_RANGES) return [...borders];
  const at = (n: number) => borders[Math.floor((n * borders.length) / KEY_RANGES)] as string;
  return Array.from({ length: KEY_RANGES - 1 }, (_, n) => at(n + 1));
}

class ObjectChunk implements Chunk<ObjectEntry> {
  readonly bytes: number;
  readonly end: Cursor;
  readonly #entries: readonly ObjectEntry[];
  readonly #reader: ObjectReader;

  constructor(entries: readonly ObjectEntry[], bytes: number, end: Cursor, reader: ObjectReader) {
    this.#entries = entries;
    this.bytes = bytes;
    this.end = end;
    this.#reader = reader;
  }

  get items(): number {
    return this.#entries.length;
  }

  async *slices(): AsyncGenerator<readonly ObjectEntry[], void, undefined> {
    yield this.#entries;
  }

  async origin(index: number) {
    const entry = this.#entries[index] as ObjectEntry;
    const kept = this.#reader.forReplay?.(entry) ?? entry;
    return { raw: Buffer.from(JSON.stringify(kept)), at: this.#reader.where(entry) };
  }
}
