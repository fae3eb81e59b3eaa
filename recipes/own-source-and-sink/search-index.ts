import {
  type CheckpointBuilder,
  type Chunk,
  type Failure,
  type OpenSink,
  type Sink,
  TransientError,
  type Writer,
} from "pawl/batch";
import { each } from "pawl/pool";

export interface Document {
  readonly id: number;
}

/** Documents of an index by HTTP: `PUT /documents/ID` puts one there, again and again if need be. */
export class SearchIndex implements Sink<Document> {
  readonly #url: string;

  constructor(url: string) {
    this.#url = url;
  }

  async open(): Promise<OpenSink<Document>> {
    return {
      // The same document twice is the same as once. So nothing but the store needs to know how far a shard is.
      guarantee: "idempotent",
      ordering: { kind: "any" },
      notes: [],
      writer: async () => new IndexWriter(this.#url),
      finalize: async () => {},
      close: async () => {},
    };
  }
}

class IndexWriter implements Writer<Document> {
  /** Of a target that keeps checkpoints itself, such as a database, this is the one it has. */
  readonly checkpoint = null;
  readonly #url: string;
  /** A request in trouble is made again here: a chunk of thousands would otherwise begin again for one of them. */
  readonly #rules = { concurrency: 8, retries: { times: 5, base: "100ms" } } as const;

  constructor(url: string) {
    this.#url = url;
  }

  async write(chunk: Chunk<Document>, buildCheckpoint: CheckpointBuilder): Promise<void> {
    const failures: Failure[] = [];
    let written = 0;
    for await (const slice of chunk.slices()) {
      const reasons = await each(slice, (document) => this.#put(document), this.#rules);
      for (const reason of reasons) {
        if (reason === null) written++;
        else failures.push({ index: written + failures.length, reason });
      }
    }
    // Puts the failures away. With a transaction, the checkpoint that it returns would be part of it.
    await buildCheckpoint({ written, unchanged: 0, skipped: 0, duplicates: 0, failures });
  }

  /** Why the index will never take the document; null when it has. */
  async #put(document: Document | Error): Promise<string | null> {
    // What the source could not decode stands in the place of its item.
    if (document instanceof Error) return document.message;
    const response = await fetch(`${this.#url}/${document.id}`, {
      method: "PUT",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(document),
    }).catch((error) => {
      throw new TransientError("index.unreachable", `${this.#url} cannot be reached`, { cause: error });
    });
    if (response.ok) return null;
    if (response.status === 429 || response.status >= 500)
      throw new TransientError("index.busy", `${this.#url} answers ${response.status}`);
    return `the index answers ${response.status}: ${await response.text()}`;
  }

  async finish(): Promise<void> {}

  async close(): Promise<void> {}
}
