import { PawlError } from "../../errors.ts";
import { checkUrl, publicUrl } from "../../postgres-url.ts";

/** Where a store is, taken from its URL. */
export interface Address {
  /** As given, with its secrets: opens the store again. */
  readonly full: string;
  /** Without secrets, for people. */
  readonly location: string;
  /** What the driver connects to: without the parameters that are ours. */
  readonly server: string;
  readonly schema: string;
  /** Whether notifications may be tried; without them listeners poll. */
  readonly listen: boolean;
}

/** Names that need no quotes, so that whatever is built from them, such as a channel, needs none either. */
const SCHEMA = /^[a-z_][a-z0-9_]{0,47}$/;

/**
 * Reads `postgres://user:password@host:5432/database?schema=pawl&listen=off`. The schema is `pawl` unless it is
 * given. Throws a PawlError for what cannot be an address.
 */
export function parseAddress(url: string): Address {
  checkUrl(url);
  const server = new URL(url);
  const schema = server.searchParams.get("schema") ?? "pawl";
  const listen = server.searchParams.get("listen") ?? "on";
  if (!SCHEMA.test(schema) || schema.startsWith("pg_")) {
    throw new PawlError(
      "store.schema",
      `${publicUrl(url)} names a schema that cannot hold the store: use lower-case letters, digits and underscores.`,
    );
  }
  if (listen !== "on" && listen !== "off") {
    throw new PawlError("store.listen", `${publicUrl(url)} must say listen=on or listen=off.`);
  }
  server.searchParams.delete("schema");
  server.searchParams.delete("listen");
  return { full: url, location: publicUrl(url), server: server.href, schema, listen: listen === "on" };
}
