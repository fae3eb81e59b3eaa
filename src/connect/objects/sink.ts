import { rm } from "node:fs/promises";
import type { Chunk, Failure, OpenSink, Seal, Sink, SinkContext, Writer } from "../../batch/contract.ts";
import { ofPlace } from "./answer-error.ts";
import { isSame } from "./compare.ts";
import type { ObjectEntry, Present, ReadPlace, WritePlace } from "./contract.ts";
import { Done } from "./done.ts";
import { MemoryGate } from "./memory-gate.ts";
import { isPassing } from "./passing.ts";
import { patiently } from "./patience.ts";
import { transfer, type Ways } from "./transfer.ts";
import { reasonFor } from "./verdict.ts";

export interface SinkOptions {
  readonly reader: () => Promise<ReadPlace>;
  readonly writer: (context: SinkContext) => Promise<WritePlace>;
  /** Remove each object from the source once its copy is safe. */
  readonly move: boolean;
}

/** Copies the objects that a chunk names, many at once; what is there already as it should be is left alone. */
export class ObjectSink implements Sink<ObjectEntry> {
  readonly #options: SinkOptions;

  constructor(options: SinkOptions) {
    this.#options = options;
  }

  async open(context: SinkContext): Promise<OpenSink<ObjectEntry>> {
    const [reader, writer] = [await this.#options.reader(), await this.#options.writer(context)];
    await writer.prepare(context.dryRun);
    return new OpenObjects(context, reader, writer, this.#options.move);
  }
}

class OpenObjects implements OpenSink<ObjectEntry> {
  readonly guarantee = "idempotent";
  readonly ordering = { kind: "any" } as const;
  readonly notes: readonly string[] = [];
  /** A checkpoint every few seconds: what is copied again after a crash is found unchanged. */
  readonly pace = { commitMs: 3000, firstItems: 256 };
  readonly #context: SinkContext;
  readonly #ways: Ways;
  readonly #move: boolean;
  #done: Done | null = null;

  constructor(context: SinkContext, reader: ReadPlace, writer: WritePlace, move: boolean) {
    this.#context = context;
    const memory = new MemoryGate(Math.floor(context.memory / 2));
    this.#ways = { reader, writer, limits: context.limits, memory, signal: context.signal };
    this.#move = move;
  }

  async writer(): Promise<Writer<ObjectEntry>> {
    this.#done ??= new Done(this.#context.folder);
    return new ObjectWriter(this.#ways, this.#move, this.#done);
  }

  async conclude(): Promise<void> {
    this.#done?.close();
    this.#done = null;
    await rm(this.#context.folder, { recursive: true, force: true });
  }

  async close(): Promise<void> {
    this.#done?.close();
    await this.#ways.reader.close();
    await this.#ways.writer.close();
  }
}

/** What became of one object. */
type Outcome = "written" | "unchanged" | "skipped" | Omit<Failure, "index">;

class ObjectWriter implements Writer<ObjectEntry> {
  /** The store holds the truth. */
  readonly checkpoint = null;
  readonly #ways: Ways;
  readonly #move: boolean;
  readonly #done: Done;
  /** Of the chunk before: its checkpoint stands once the next one is asked for. */
  #before: readonly string[] = [];

  constructor(ways: Ways, move: boolean, done: Done) {
    this.#ways = ways;
    this.#move = move;
    this.#done = done;
  }

  async write(chunk: Chunk<ObjectEntry>, seal: Seal): Promise<void> {
    const entries: ObjectEntry[] = [];
    for await (const slice of chunk.slices()) entries.push(...(slice as readonly ObjectEntry[]));
    this.#done.forget(this.#before);
    this.#before = [];
    const { writer, signal } = this.#ways;
    const possible = entries.filter((entry) => this.#refused(entry) === null);
    const present = await patiently(() => writer.look(possible), signal).catch((error) => {
      throw ofPlace(error);
    });
    const ended = await Promise.allSettled(entries.map((entry) => this.#one(entry, present.get(entry.key))));
    const failures: Failure[] = [];
    const counts = { written: 0, unchanged: 0, skipped: 0 };
    for (const [index, end] of ended.entries()) {
      if (end.status === "rejected") throw end.reason;
      if (typeof end.value === "string") counts[end.value]++;
      else failures.push({ index, ...end.value });
    }
    await writer.settle();
    await seal({ ...counts, duplicates: 0, failures });
    this.#before = entries.map(({ key }) => key);
  }

  async finish(): Promise<void> {}

  async close(): Promise<void> {}

  #refused(entry: ObjectEntry): string | null {
    return entry.problem ?? this.#ways.writer.refuses(entry.key);
  }

  async #one(entry: ObjectEntry, present: Present | undefined): Promise<Outcome> {
    const { writer, limits, signal } = this.#ways;
    const refused = this.#refused(entry);
    if (refused !== null) {
      if (writer.omits?.(entry)) return "skipped";
      return { reason: refused, code: "copy.refused" };
    }
    try {
      return await limits.run(
        (trouble) =>
          patiently(
            () => this.#copy(entry, present),
            signal,
            (error) => {
              if (isPassing(error)) trouble();
            },
          ),
        signal,
      );
    } catch (error) {
      return await reasonFor(error, this.#ways.reader, writer);
    }
  }

  async #copy(entry: ObjectEntry, present: Present | undefined): Promise<Outcome> {
    const { reader, writer } = this.#ways;
    // What a process that died has written was paid for, and counts as written.
    let outcome: Outcome = "written";
    if (present === undefined || this.#done.left(entry.key) !== present.size) {
      if (present !== undefined && (await isSame(entry, present, reader, writer))) outcome = "unchanged";
      else this.#done.add(entry.key, await transfer(entry, this.#ways));
    }
    if (this.#move) {
      await writer.settle();
      await reader.remove(entry);
    }
    return outcome;
  }
}
