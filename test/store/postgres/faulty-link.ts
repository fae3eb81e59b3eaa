import { connect, createServer, type Server, type Socket } from "node:net";

/**
 * How many links to the server stay open when their client is gone: a real server notices in the end, and one that all test
 * files share has only so many sessions for everybody.
 */
const UNNOTICED = 10;

/** How a link was cut: both sides at once, or so that the server continues for a while without a listener. */
export type Cut = "both" | "client";

/** Stands between a client and a server and spoils what passes. */
export class FaultyLink implements AsyncDisposable {
  readonly #server: Server;
  readonly #links = new Set<{ readonly client: Socket; readonly server: Socket }>();
  /** Towards the server, those included that have no listener any more. */
  readonly #servers = new Set<Socket>();
  /** Those that have no listener any more, the oldest first. */
  readonly #unnoticed = new Set<Socket>();
  /** Asked about each piece that comes from the server: true swallows it and cuts the link. */
  swallows: (piece: Buffer, link: number) => boolean = () => false;
  /** Asked about each piece that goes to the server: true cuts the link before it gets there. */
  stops: (piece: Buffer, link: number) => boolean = () => false;
  /** The same, but unnoticed: from then on nothing comes back over this link. */
  holds: (piece: Buffer, link: number) => boolean = () => false;
  /** Connections that were made, and links that were cut. */
  connections = 0;
  cuts = 0;
  how: Cut = "both";

  private constructor(server: Server, port: number) {
    this.#server = server;
    server.on("connection", (client) => this.#link(client, port));
  }

  /** A proxy before the server of a URL, and the URL through it. */
  static async before(url: string): Promise<{ proxy: FaultyLink; url: string }> {
    const through = new URL(url);
    const server = createServer();
    const proxy = new FaultyLink(server, Number(through.port));
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const address = server.address();
    if (address === null || typeof address === "string") throw new Error("The proxy has no port.");
    through.port = String(address.port);
    return { proxy, url: through.href };
  }

  /** Cuts everything that is connected now. */
  cut(): void {
    for (const link of this.#links) this.#cut(link);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.how = "both";
    this.cut();
    for (const server of this.#servers) server.destroy();
    await new Promise<void>((resolve) => this.#server.close(() => resolve()));
  }

  #link(client: Socket, port: number): void {
    const number = this.connections++;
    const server = connect(port, "127.0.0.1");
    const link = { client, server };
    this.#links.add(link);
    this.#servers.add(server);
    server.on("close", () => {
      this.#servers.delete(server);
      this.#unnoticed.delete(server);
    });
    client.on("close", () => {
      if (this.how === "both" || server.destroyed) return;
      this.#unnoticed.add(server);
      for (const oldest of [...this.#unnoticed].slice(0, -UNNOTICED)) oldest.destroy();
    });
    for (const socket of [client, server]) {
      socket.setNoDelay(true);
      socket.on("error", () => {});
      socket.on("close", () => {
        this.#links.delete(link);
        client.destroy();
        if (this.how === "both") server.destroy();
      });
    }
    client.on("data", (piece) => {
      if (this.stops(piece, number)) this.#cut(link);
      else server.write(piece);
    });
    let held = false;
    server.on("data", (piece) => {
      held ||= this.holds(piece, number);
      if (held || client.destroyed) return;
      if (this.swallows(piece, number)) this.#cut(link);
      else client.write(piece);
    });
  }

  #cut({ client, server }: { readonly client: Socket; readonly server: Socket }): void {
    this.cuts++;
    client.destroy();
    if (this.how === "both") server.destroy();
  }
}

/** Whether a piece from the server holds the answer to a COMMIT. */
export function answersCommit(piece: Buffer): boolean {
  return piece.includes("COMMIT\0");
}

/** Whether a piece to the server holds a COMMIT. */
export function asksCommit(piece: Buffer): boolean {
  return piece.includes("COMMIT\0");
}
