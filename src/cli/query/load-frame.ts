import { createHash } from "node:crypto";
import { defineJob } from "../../batch/index.ts";
import type { AnyJob } from "../../batch/internal.ts";
import { canonicalJson } from "../../canonical-json.ts";
import { postgres } from "../../connect/postgres/index.ts";
import type { Frame, FrameRunOptions } from "../../data/index.ts";
import { publicUrl } from "../../postgres-url.ts";
import { databaseFlag, resolveDatabase } from "../options/database.ts";
import { parseNames } from "../options/parse.ts";
import { startRun } from "../runs/start.ts";
import { withStore } from "../with-store.ts";

/** The flags of a query whose rows go into a table. */
export interface IntoFlags {
  readonly into?: string;
  readonly table?: string;
  readonly key?: string;
  readonly create?: boolean;
  readonly append?: boolean;
  readonly restart?: boolean;
  readonly json?: boolean;
}

/** Loads the rows of a frame into a table: the same command again continues a load that was interrupted. */
export async function loadFrame(
  frame: Frame,
  what: string,
  flags: IntoFlags,
  options: FrameRunOptions,
): Promise<void> {
  const { table = "", key, create = false, append = false, restart = false, json = false } = flags;
  await withStore(async (store, location) => {
    const database = await resolveDatabase(flags.into, location, databaseFlag(flags, "into"));
    const work = canonicalJson({ what, into: database.stored, table, key, create, append });
    const job = defineJob({
      name: `query into ${table}`,
      key: `query ${createHash("sha256").update(work).digest("hex")}`,
      source: frame.source(options),
      sink: postgres({
        url: database.url,
        table,
        create,
        ...(append ? { append } : {}),
        ...(key === undefined ? {} : { key: parseNames(key, "--key") }),
      }),
    }) as unknown as AnyJob;
    const note =
      database.stored === "embedded" && !json ? `embedded PostgreSQL: ${publicUrl(database.url)}` : undefined;
    const reference = { name: job.name, module: null, params: null };
    await startRun({ job, reference, store, location, database, note }, { restart, json });
  });
}
