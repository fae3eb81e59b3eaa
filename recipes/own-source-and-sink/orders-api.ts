import {
  type Chunk,
  type ChunkSize,
  type Cursor,
  type Description,
  PawlError,
  type Shard,
  type ShardPlan,
  type Source,
  TransientError,
} from "pawl/batch";

export interface Order {
  readonly id: number;
  readonly customer: string;
  readonly cents: number;
}

/** What the API answers to `GET /orders?after=ID&limit=N`: orders by growing id, those after ID. */
interface Page {
  readonly orders: readonly Order[];
  /** The id to ask after next; null on the last page. */
  readonly next: number | null;
}

/** The API gives no more than this at once. */
const MOST = 500;

/** The orders of a paginated HTTP API, each once. */
export class OrdersApi implements Source<Order> {
  readonly #url: string;

  constructor(url: string) {
    this.#url = url;
  }

  async describe(): Promise<Description> {
    return {
      name: this.#url,
      unit: "orders",
      columns: ["id", "customer", "cents"],
      // Compared when an interrupted run goes on: other orders are other work. New ones are not.
      identity: { url: this.#url },
      bytes: null,
      notes: [],
    };
  }

  /** One page leads to the next, so there is one shard. A range of ids or a day each would make several. */
  async shards(): Promise<ShardPlan> {
    return { shards: [{ data: null, items: null, bytes: null }], duplicates: null, notes: [] };
  }

  async sample(n: number): Promise<readonly Order[]> {
    return (await this.#page(0, Math.min(n, MOST), AbortSignal.timeout(10_000))).orders;
  }

  /** A page is a chunk, and the cursor is what to ask for next: after a kill, reading goes on there. */
  async *read(
    _shard: Shard,
    cursor: Cursor | null,
    size: ChunkSize,
    signal: AbortSignal,
  ): AsyncGenerator<Chunk<Order>> {
    let after = cursor as number | null;
    do {
      const { orders, next } = await this.#page(after ?? 0, Math.min(size.items, MOST), signal);
      const end = next ?? orders.at(-1)?.id ?? after ?? 0;
      if (orders.length > 0) yield chunkOf(orders, end);
      after = next;
    } while (after !== null);
  }

  async #page(after: number, limit: number, signal: AbortSignal): Promise<Page> {
    const response = await fetch(`${this.#url}?after=${after}&limit=${limit}`, { signal }).catch((error) => {
      signal.throwIfAborted();
      // The engine tries again, for as long as `patience` says; any other error ends the run.
      throw new TransientError("orders.unreachable", `${this.#url} cannot be reached`, { cause: error });
    });
    if (response.ok) return (await response.json()) as Page;
    if (response.status === 429 || response.status >= 500) {
      // With the response as its cause, the engine also waits as long as its Retry-After asks.
      throw new TransientError("orders.busy", `${this.#url} answers ${response.status}`, { cause: response });
    }
    throw new PawlError(
      "orders.refused",
      `${this.#url} answers ${response.status}: check the URL and the token.`,
    );
  }
}

function chunkOf(orders: readonly Order[], end: number): Chunk<Order> {
  return {
    items: orders.length,
    bytes: 0,
    end,
    // Asked for again when the chunk has to be written again, so it gives the same each time.
    slices: async function* () {
      yield orders;
    },
    // What is kept of an order that the target refuses, and where it is to be found.
    origin: async (index) => ({
      raw: Buffer.from(JSON.stringify(orders[index])),
      at: `order ${orders[index]?.id}`,
    }),
  };
}
