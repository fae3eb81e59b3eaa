import {
  type Checkpoint,
  type CheckpointBuilder,
  type Chunk,
  type ChunkSize,
  type Counts,
  type Cursor,
  type Failure,
  LostError,
  type OpenSink,
  type Shard,
  type Sink,
  type Source,
  TransientError,
  type WriteOutcome,
  type Writer,
} from "../../src/batch/index.ts";

/** Numbers from 0 to `count`, in shards of near-equal size; `chunkItems` at a time. */
export class NumberSource implements Source<number> {
  readonly count: number;
  chunkItems: number;
  identity: string;
  sliceItems = 7;
  /** Items handed out by `read`, over all shards and attempts. */
  handedOut = 0;

  constructor(count: number, chunkItems = 10, identity = "numbers") {
    this.count = count;
    this.chunkItems = chunkItems;
    this.identity = identity;
  }

  async describe() {
    return {
      name: "numbers",
      unit: "numbers",
      columns: null,
      identity: this.identity,
      bytes: this.count,
      notes: [],
    };
  }

  async shards(n: number, ordering: { kind: string }) {
    const parts = ordering.kind === "any" ? n : 1;
    const shards: Shard[] = [];
    for (let part = 0; part < parts; part++) {
      const from = Math.floor((this.count * part) / parts);
      const to = Math.floor((this.count * (part + 1)) / parts);
      shards.push({ data: { from, to }, items: to - from, bytes: to - from });
    }
    return { shards, duplicates: null, notes: [] };
  }

  async sample(n: number) {
    return Array.from({ length: Math.min(n, this.count) }, (_, at) => at);
  }

  async *read(shard: Shard, cursor: Cursor | null, _pace: ChunkSize, signal: AbortSignal) {
    const { from, to } = shard.data as { from: number; to: number };
    for (let at = (cursor as number | null) ?? from; at < to; at += this.chunkItems) {
      signal.throwIfAborted();
      const numbers = Array.from({ length: Math.min(this.chunkItems, to - at) }, (_, offset) => at + offset);
      this.handedOut += numbers.length;
      yield this.#chunk(numbers, at + numbers.length);
    }
  }

  #chunk(numbers: readonly number[], end: number): Chunk<number> {
    const slice = this.sliceItems;
    return {
      items: numbers.length,
      bytes: numbers.length,
      end,
      slices: async function* () {
        for (let at = 0; at < numbers.length; at += slice) yield numbers.slice(at, at + slice);
      },
      origin: async (index) => ({ raw: Buffer.from(String(numbers[index])), at: `number ${numbers[index]}` }),
    };
  }
}

/** A target that commits effect and checkpoint together and honours fences, as a database would. */
export class MemoryTarget implements Sink<number> {
  readonly effects: number[] = [];
  readonly checkpoints = new Map<string, { fence: number; checkpoint: Checkpoint }>();
  guarantee: OpenSink<number>["guarantee"] = "transactional";
  finalized = 0;
  closedWriters = 0;
  /** Decides which items the target refuses. */
  refuse: (item: number) => string | null = () => null;
  /** Called at the named moments of a write; may throw. */
  fault: (moment: "before" | "sealed" | "committed") => void = () => {};
  /** Waits inside each write. */
  delayMs = 0;

  async open(context: { run: string }): Promise<OpenSink<number>> {
    return {
      guarantee: this.guarantee,
      ordering: { kind: "any" },
      notes: [],
      writer: async (shard, fence) => this.#writer(`${context.run}/${shard}`, fence),
      finalize: async () => {
        this.finalized++;
      },
      close: async () => {},
    };
  }

  #writer(key: string, fence: number): Writer<number> {
    const held = this.checkpoints.get(key);
    if (held && held.fence > fence) throw new LostError(`fence ${fence} is behind ${held.fence}`);
    const start: Checkpoint = held?.checkpoint ?? { cursor: null, counts: zero(), done: false };
    const transactional = this.guarantee === "transactional";
    if (transactional) this.checkpoints.set(key, { fence, checkpoint: start });
    const commit = (checkpoint: Checkpoint, items: readonly number[]) => {
      if (transactional) {
        const now = this.checkpoints.get(key);
        if (now?.fence !== fence) throw new LostError(`fence ${fence} has moved on`);
        this.checkpoints.set(key, { fence, checkpoint });
      }
      this.effects.push(...items);
    };
    return {
      checkpoint: transactional && held ? held.checkpoint : null,
      write: async (chunk: Chunk<number>, seal: CheckpointBuilder) => {
        if (this.delayMs > 0) await new Promise((resolve) => setTimeout(resolve, this.delayMs));
        this.fault("before");
        const { outcome, items } = await this.#judge(chunk);
        const checkpoint = await seal(outcome);
        this.fault("sealed");
        commit(checkpoint, items);
        this.fault("committed");
      },
      finish: async (checkpoint) => commit(checkpoint, []),
      close: async () => {
        this.closedWriters++;
      },
    };
  }

  async #judge(chunk: Chunk<number>): Promise<{ outcome: WriteOutcome; items: number[] }> {
    const failures: Failure[] = [];
    const items: number[] = [];
    let index = 0;
    for await (const slice of chunk.slices()) {
      for (const item of slice) {
        const reason = this.refuse(item as number);
        if (reason === null) items.push(item as number);
        else failures.push({ index, reason, code: "refused" });
        index++;
      }
    }
    return { outcome: { written: items.length, unchanged: 0, skipped: 0, duplicates: 0, failures }, items };
  }
}

function zero(): Counts {
  return { read: 0, added: 0, written: 0, unchanged: 0, skipped: 0, quarantined: 0, duplicates: 0, bytes: 0 };
}

/** A fault that strikes with the given probability, from a seeded generator. */
export function randomFaults(seed: number, probability: number): MemoryTarget["fault"] {
  let state = seed >>> 0 || 1;
  const random = () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) / 2 ** 32;
  };
  return (moment) => {
    if (random() < probability) throw new TransientError("test", `connection lost (${moment})`);
  };
}
