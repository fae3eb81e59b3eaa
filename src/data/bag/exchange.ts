import { quoted } from "../../arguments.ts";
import { PawlError } from "../../errors.ts";
import { keyOf, type Push, received } from "./chain.ts";
import { Keyed, keyHash } from "./key.ts";
import { readSegments, SegmentWriter, type SpillFile, type SpillSegment, totalBytes } from "./segments.ts";
import type { Exchange, SentFunction, SentKey } from "./steps.ts";

/** How items are brought together; of a join, the sides say theirs alone. */
export type Gather =
  | { readonly kind: "distinct"; readonly by: SentKey }
  | { readonly kind: "frequencies" }
  | { readonly kind: "groupBy"; readonly by: SentKey }
  | {
      readonly kind: "foldBy";
      readonly by: SentKey;
      readonly fn: SentFunction;
      readonly initial: unknown;
      readonly combine: SentFunction;
    };

export function gatherOf(step: Exclude<Exchange, { kind: "join" | "zip" }>): Gather {
  return step;
}

/** Keys that a worker holds before it puts them aside. */
const HELD_KEYS = 50_000;
/** Bytes of lines after which it puts them aside in any case: keys may be long. */
const HELD_BYTES = 16 * 1024 * 1024;

/** Of each partition what a part has put aside. */
export type Partitioned = readonly (readonly SpillSegment[])[];

/** Puts `[key, value]` aside by the hash of the key. */
class PartitionWriter {
  readonly #writers: readonly SegmentWriter[];
  readonly #seed: number;

  constructor(file: SpillFile, partitions: number, seed: number) {
    this.#writers = Array.from({ length: partitions }, () => new SegmentWriter(file));
    this.#seed = seed;
  }

  add(key: unknown, value: unknown): void {
    const at = this.#writers.length === 1 ? 0 : keyHash(key, this.#seed) % this.#writers.length;
    (this.#writers[at] as SegmentWriter).add([key, value]);
  }

  finish(): Partitioned {
    for (const writer of this.#writers) writer.flush();
    return this.#writers.map(({ segments }) => segments);
  }
}

/** What a part does with its items on their way to their partitions. */
export interface Partitioner {
  readonly push: Push;
  /** Told of bytes of lines that were worked on: puts aside what is held after many. */
  readonly relieve: (bytes: number) => void;
  readonly finish: () => Partitioned;
}

/**
 * Brings the items of a part on their way: what can be combined is combined here, as far as memory goes, so that of a key that comes
 * often one value is sent.
 */
export async function partitioner(
  gather: Gather | { readonly kind: "side"; readonly by: SentKey },
  file: SpillFile,
  partitions: number,
): Promise<Partitioner> {
  const out = new PartitionWriter(file, partitions, 0);
  const finish = () => out.finish();
  if (gather.kind === "groupBy" || gather.kind === "side") {
    const by = await keyOf(gather.by);
    return { push: (item) => out.add(by(item), item), relieve: () => {}, finish };
  }
  const held = new Keyed<{ readonly key: unknown; value: unknown }>();
  let worked = 0;
  const putAside = () => {
    worked = 0;
    for (const { key, value } of held.values()) out.add(key, value);
    held.clear();
  };
  const add = await adder(gather, held);
  return {
    push: (item) => {
      add(item);
      if (held.size >= HELD_KEYS) putAside();
    },
    relieve: (bytes) => {
      worked += bytes;
      if (worked >= HELD_BYTES) putAside();
    },
    finish: () => {
      putAside();
      return out.finish();
    },
  };
}

type Held = Keyed<{ readonly key: unknown; value: unknown }>;

/** Combines an item with what is held of its key. */
async function adder(gather: Exclude<Gather, { kind: "groupBy" }>, held: Held): Promise<Push> {
  if (gather.kind === "frequencies")
    return (item) => {
      const entry = held.get(item);
      if (entry === undefined) held.set(item, { key: item, value: 1 });
      else entry.value = (entry.value as number) + 1;
    };
  const by = await keyOf(gather.by);
  if (gather.kind === "distinct")
    return (item) => {
      const key = by(item);
      if (held.get(key) === undefined) held.set(key, { key, value: item });
    };
  const fn = await received(gather.fn);
  const { initial } = gather;
  // A fold may change the object that it is given.
  const begin = typeof initial === "object" ? () => structuredClone(initial) : () => initial;
  return (item) => {
    const key = by(item);
    const entry = held.get(key);
    if (entry === undefined) held.set(key, { key, value: fn(begin(), item) });
    else entry.value = fn(entry.value, item);
  };
}

/** What a partition is made of. */
export interface Partition {
  readonly segments: readonly SpillSegment[];
  /** Of a join, those of the other bag. */
  readonly other: readonly SpillSegment[] | null;
  /** How often it was split already. */
  readonly level: number;
  /** The most bytes that may be brought into memory together. */
  readonly most: number;
}

/** A partition with more keys than memory: it is split once more, by other bits of the hash. */
export interface Split {
  readonly segments: Partitioned;
  readonly other: Partitioned | null;
}

/** Into how many a partition that is too large is split. */
const SPLIT = 16;
/** A partition that was split so often holds one key that is too large alone. */
const DEEPEST = 4;

/** Gives the items of a partition to `push`, or splits it where it needs more memory than there is. */
export async function gathered(
  gather: Gather | { readonly kind: "join" },
  partition: Partition,
  file: SpillFile,
  push: Push,
): Promise<Split | null> {
  switch (gather.kind) {
    case "join":
      return joined(partition, file, push);
    case "groupBy":
      return grouped(partition, file, push);
    default:
      return await combined(gather, partition, file, push);
  }
}

function grouped(partition: Partition, file: SpillFile, push: Push): Split | null {
  if (totalBytes(partition.segments) > partition.most) return split(partition, file, "groupBy");
  const groups = new Keyed<[unknown, unknown[]]>();
  for (const [key, item] of entries(partition.segments)) {
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [key, [item]]);
    else group[1].push(item);
  }
  for (const group of groups.values()) push(group);
  return null;
}

function joined(partition: Partition, file: SpillFile, push: Push): Split | null {
  const others = partition.other ?? [];
  if (totalBytes(others) > partition.most) return split(partition, file, "join");
  const byKey = new Keyed<unknown[]>();
  for (const [key, item] of entries(others)) {
    const same = byKey.get(key);
    if (same === undefined) byKey.set(key, [item]);
    else same.push(item);
  }
  for (const [key, item] of entries(partition.segments))
    for (const other of byKey.get(key) ?? []) push([item, other]);
  return null;
}

async function combined(
  gather: Exclude<Gather, { kind: "groupBy" }>,
  partition: Partition,
  file: SpillFile,
  push: Push,
): Promise<Split | null> {
  const held: Held = new Keyed();
  const combine = gather.kind === "foldBy" ? await received(gather.combine) : null;
  let bytes = 0;
  for (const segment of partition.segments) {
    const each = segment.bytes / segment.values;
    for (const [key, value] of entries([segment])) {
      const entry = held.get(key);
      if (entry === undefined) {
        held.set(key, { key, value });
        bytes += each;
      } else if (gather.kind === "frequencies") entry.value = (entry.value as number) + (value as number);
      else if (combine !== null) entry.value = combine(entry.value, value);
    }
    if (bytes > partition.most && held.size > 1) return split(partition, file, gather.kind);
  }
  for (const { key, value } of held.values()) push(gather.kind === "distinct" ? value : [key, value]);
  return null;
}

function* entries(segments: readonly SpillSegment[]): Generator<readonly [unknown, unknown]> {
  for (const block of readSegments(segments)) yield* block as readonly (readonly [unknown, unknown])[];
}

function split({ segments, other, level, most }: Partition, file: SpillFile, method: string): Split {
  if (level >= DEEPEST) {
    let first: unknown;
    for (const [key] of entries(other ?? segments)) {
      first = key;
      break;
    }
    const advice =
      method === "groupBy"
        ? "use foldBy, which combines as it reads, or give more `memory`"
        : "give more `memory`";
    throw new PawlError(
      "bag.large-key",
      `The items of one key of ${method} (${quoted(first)}) take ${totalBytes(other ?? segments)} bytes, more than the ${most} that memory has room for: ${advice}.`,
    );
  }
  const parted = (given: readonly SpillSegment[]) => {
    const out = new PartitionWriter(file, SPLIT, level + 1);
    for (const [key, value] of entries(given)) out.add(key, value);
    return out.finish();
  };
  return { segments: parted(segments), other: other === null ? null : parted(other) };
}
