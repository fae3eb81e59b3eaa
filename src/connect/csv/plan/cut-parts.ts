import { storedBytes } from "../rows/chunk-bytes.ts";
import { GRANULE_WIDTH, granulesOf, type Part, type RangePart } from "./shard-data.ts";

/** Something that is not cut: some granules of a file, or a whole stream. */
interface Piece {
  readonly part: Part;
  readonly bytes: number;
}

/** Deals the parts, in order, to at most `n` lists of about equal bytes; there is always at least one list. */
export function cutParts(parts: readonly Part[], n: number): Part[][] {
  const pieces = parts.flatMap(piecesOf);
  const total = pieces.reduce((sum, { bytes }) => sum + bytes, 0);
  const lists: Part[][] = [[]];
  let done = 0;
  for (const { part, bytes } of pieces) {
    // A piece belongs to the shard in whose share its middle falls.
    const share = total === 0 ? 0 : Math.floor(((done + bytes / 2) / total) * n);
    const list = lists.at(-1) as Part[];
    if (list.length > 0 && share >= lists.length) lists.push([part]);
    else append(list, part);
    done += bytes;
  }
  return lists;
}

function piecesOf(part: Part): Piece[] {
  if (part.kind === "stream") return [{ part, bytes: Math.max(storedBytes(part), 1) }];
  return granulesOf(part).map(({ start, end, line }, index) => ({
    part: {
      ...part,
      offset: start,
      line,
      granules: part.granules.slice(index * GRANULE_WIDTH, (index + 1) * GRANULE_WIDTH),
    },
    bytes: end - start,
  }));
}

/** Granules that follow one another in a file become one part again. */
function append(list: Part[], part: Part): void {
  const last = list.at(-1);
  if (last?.kind === "range" && part.kind === "range" && last.path === part.path)
    (last.granules as number[]).push(...(part as RangePart).granules);
  else list.push(part);
}
