import pg from "pg";

const CONNECT_MS = 10_000;

/** Called with null and the client when that is connected. */
type Connected = (error: Error | null, client?: pg.Client) => void;

/** A connection of a pool. One that cannot be made is given up after a while, and leaves nothing open. */
export class PooledClient extends pg.Client {
  constructor(config: pg.ClientConfig) {
    // To the pool the same option would mean how long to wait for another operation to end.
    super({ ...config, connectionTimeoutMillis: CONNECT_MS });
  }

  override connect(): Promise<pg.Client>;
  override connect(callback: Connected): void;
  override connect(callback?: Connected): Promise<pg.Client> | undefined {
    if (callback === undefined) return super.connect();
    super.connect((error: Error | null, client?: pg.Client) => {
      // The pool only forgets it. The server would wait a minute for a password that was not given, and let nobody make
      // or remove a database meanwhile.
      if (error !== null) destroy(this);
      callback(error, client);
    });
    return undefined;
  }
}

/** Ends a connection in whatever state it is, without waiting for the server. */
export function destroy(client: pg.Client): void {
  client.end().catch(() => {});
  (client as unknown as { connection: { stream: { destroy(): void } } }).connection.stream.destroy();
}
