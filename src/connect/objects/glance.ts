import { isSameByCache, isSameByListing } from "./compare/same-content.ts";
import type { ObjectReader, ObjectWriter } from "./contract.ts";
import type { TargetCheck } from "./list/source.ts";

/** Asks a target for what it has already, while the source is still being listed; null where that would ask nobody. */
export function targetCheck({
  reader,
  writer,
}: {
  reader: ObjectReader;
  writer: ObjectWriter;
}): TargetCheck | null {
  const lookout = writer.existenceCheck();
  const glance = lookout.findQuickly?.bind(lookout);
  if (glance === undefined) return null;
  let isOver = false;
  return async (entries) => {
    // What cannot be asked now is asked again when there is something to be copied, and says then what is wrong.
    const present = isOver ? null : await glance(entries.map(({ key }) => key)).catch(() => null);
    isOver = present === null;
    return entries.map((entry) => {
      const found = present?.get(entry.key);
      if (found === undefined) return false;
      return isSameByListing(entry, found) || isSameByCache(entry, found, reader, writer);
    });
  };
}
