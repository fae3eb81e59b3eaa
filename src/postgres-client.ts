import type pg from "pg";

/** Ends a connection in whatever state it is, without waiting for the server. */
export function destroyClient(client: pg.Client): void {
  client.end().catch(() => {});
  (client as unknown as { connection: { stream: { destroy(): void } } }).connection.stream.destroy();
}
