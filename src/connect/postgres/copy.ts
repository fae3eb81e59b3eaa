import type { Connection, Submittable } from "pg";

/** One CopyData message holds at most this much, so that neither side needs a large buffer for it. */
const messageBytes = 256 * 1024;

/**
 * A `COPY … FROM STDIN`: passes the bytes on as they come and no faster than the server takes them; the next piece is
 * asked for once the last one has left this process, whose buffer may be used again then. `done` resolves with the
 * number of rows the server counted, once it is ready for the next query.
 */
export class CopyIn implements Submittable {
  readonly done: Promise<number>;
  readonly #sql: string;
  readonly #bytes: AsyncIterable<Buffer>;
  readonly #settle = Promise.withResolvers<number>();
  #rows = 0;
  #over = false;
  #sourceError: unknown;
  #wake: (() => void) | null = null;

  constructor(sql: string, bytes: AsyncIterable<Buffer>) {
    this.#sql = sql;
    this.#bytes = bytes;
    this.done = this.#settle.promise;
  }

  submit(connection: Connection): void {
    connection.query(this.#sql);
  }

  /** Called by the driver when the server is ready for the data. */
  handleCopyInResponse(connection: CopyConnection): void {
    this.#pump(connection).catch((error: unknown) => {
      this.#sourceError = error ?? new Error("The source of a COPY failed.");
      // The server answers with an error, by which the driver comes back to a known state.
      if (!this.#over) connection.sendCopyFail("the source failed");
    });
  }

  handleCommandComplete(message: { text?: string }): void {
    this.#rows = Number(/^COPY (\d+)/.exec(message.text ?? "")?.[1] ?? 0);
  }

  handleReadyForQuery(): void {
    this.#stop();
    this.#settle.resolve(this.#rows);
  }

  handleError(error: unknown): void {
    this.#stop();
    this.#settle.reject(this.#sourceError ?? error);
  }

  async #pump(connection: CopyConnection): Promise<void> {
    const { stream } = connection;
    for await (const piece of this.#bytes) {
      for (let start = 0; start < piece.length; start += messageBytes) {
        if (this.#over) return;
        await this.#sent(stream, piece.subarray(start, start + messageBytes));
      }
    }
    if (!this.#over) connection.endCopyFrom();
  }

  /** Sends a message; resolves when the system has taken it, or nothing more is to be sent. */
  #sent(stream: CopyConnection["stream"], data: Buffer): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const wake = () => {
      this.#wake = null;
      resolve();
    };
    this.#wake = wake;
    send(stream, data, wake);
    return promise;
  }

  #stop(): void {
    this.#over = true;
    this.#wake?.();
  }
}

/** What the driver's connection offers beyond its published types. */
export interface CopyConnection {
  readonly stream: NodeJS.WritableStream & { cork(): void; uncork(): void };
  endCopyFrom(): void;
  sendCopyFail(message: string): void;
}

function send(stream: CopyConnection["stream"], data: Buffer, taken: () => void): void {
  const head = Buffer.allocUnsafe(5);
  head[0] = 0x64; // 'd', CopyData
  head.writeUInt32BE(data.length + 4, 1);
  stream.cork();
  stream.write(head);
  // An error is told to the connection, which tells the driver, which ends the COPY.
  stream.write(data, taken);
  stream.uncork();
}
