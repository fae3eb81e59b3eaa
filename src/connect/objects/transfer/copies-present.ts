import { existsSync } from "node:fs";
import { PawlError } from "../../../errors.ts";
import type { ObjectWriter } from "../contract.ts";
import { retryRequest } from "../http/retry-request.ts";
import { listingPath, StoredListing } from "../list/stored-listing.ts";
import type { NameRegistry } from "../names/name-registry.ts";
import type { WrittenLog } from "./written-log.ts";

/** As many as a page of a listing has. */
const FOUND_AT_ONCE = 1000;
/** A number that no process has. */
const NO_PROCESS = -1;

export interface Copies {
  /** What the run keeps on this machine. */
  readonly folder: string;
  readonly writer: ObjectWriter;
  readonly writtenLog: WrittenLog;
  /** Null where each object keeps its name. */
  readonly names: NameRegistry | null;
  /** The objects have been removed from the source. */
  readonly moved: boolean;
  readonly signal: AbortSignal;
}

/**
 * Checks that the target has an object under each name to which the run has copied one: copies of earlier processes of the run may
 * have been removed before this one continued. Errors: `copy.gone`.
 */
export async function assertCopiesPresent(copies: Copies): Promise<void> {
  const { writer, writtenLog, names: registry, moved, signal } = copies;
  const existence = writer.existenceCheck("fresh");
  const find = (keys: readonly string[]) => retryRequest(() => existence.find(keys), signal);
  let gone = 0;
  let first: string | null = null;
  for (const page of registry === null ? listedNames(copies.folder) : givenNames(registry)) {
    signal.throwIfAborted();
    const names = page.filter(({ key }) => !writtenLog.isLeftOut(key));
    const present = await find(names.map(({ key }) => key));
    for (const { key, origin } of names) {
      if (present.has(key)) continue;
      const others = registry === null ? [] : registry.namesOf(origin).filter((name) => name !== key);
      if (others.length > 0 && (await find(others)).size > 0) continue;
      first ??= key;
      gone++;
    }
  }
  if (first === null) return;
  const [what, such] =
    gone === 1
      ? [`An object that this run had copied is`, `${first}`]
      : [`${gone} objects that this run had copied are`, `such as ${first}`];
  throw new PawlError(
    "copy.gone",
    `${what} not in ${writer.name} any more (${such}): ${
      moved
        ? "THEY WERE REMOVED FROM THE SOURCE when they had been copied (`move: true`), so that only a backup has them; put them back, or start over with `restart: true`, which continues without them."
        : "start over with `restart: true`, which copies what is missing and leaves alone what is there."
    }`,
  );
}

/** The objects that were to be copied under their own names; none where they did not come from a listing. */
function* listedNames(
  folder: string,
): Generator<readonly { key: string; origin: string }[], void, undefined> {
  const path = listingPath(folder);
  if (!existsSync(path)) return;
  const listing = StoredListing.read(path, NO_PROCESS);
  try {
    for (let next = 0; ; ) {
      const page = listing.page(next, Number.MAX_SAFE_INTEGER, FOUND_AT_ONCE);
      const last = page.at(-1);
      if (last === undefined) return;
      next = last.number + 1;
      yield page.flatMap(({ entry: { key, problem } }) =>
        problem === undefined ? [{ key, origin: key }] : [],
      );
    }
  } finally {
    listing.close();
  }
}

function* givenNames(
  registry: NameRegistry,
): Generator<readonly { key: string; origin: string }[], void, undefined> {
  for (let after: string | null = null; ; ) {
    const page = registry.page(after, FOUND_AT_ONCE);
    const last = page.at(-1);
    if (last === undefined) return;
    after = last.key;
    yield page;
  }
}
