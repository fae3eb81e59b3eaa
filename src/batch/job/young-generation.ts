import v8 from "node:v8";
import { runInNewContext } from "node:vm";

/** Beyond this a larger space saves next to no time; rows that pass through live for milliseconds. */
const ENOUGH_BYTES = 16 * 1024 * 1024;
const LITTLE_BYTES = 2 * 1024 * 1024;
/** Where this is all the memory there is, collecting more often is the smaller evil. */
const SHORT_BUDGET = 160 * 1024 * 1024;

let enough = ENOUGH_BYTES;
let bounded = false;

/**
 * Tells how many bytes the process may use. Where that is little, rows that died after they left the space are not
 * left to pile up either: the collector goes on once two fifths have come on top of what lives, not when it has doubled.
 */
export function limitYoungGeneration(bytes: number): void {
  if (bytes > SHORT_BUDGET || enough === LITTLE_BYTES) return;
  enough = LITTLE_BYTES;
  v8.setFlagsFromString("--heap-growing-percent=40");
  // The bound for the first collection was set when the process began; each collection sets it anew. This one also
  // gives back what the space grew to while the program was loaded.
  v8.setFlagsFromString("--expose-gc");
  const collect = runInNewContext("gc") as (options: object) => void;
  collect({ type: "major", execution: "sync", flavor: "last-resort" });
  boundYoungGeneration();
}

/**
 * Keeps V8's young generation, the space for new objects, from growing with the memory of the machine: left alone it takes
 * more than a hundred megabytes on a large one, whatever our budget, to hold rows that died long ago. Its bound can
 * be given only on the command line of Node; that it stops growing can be said at any time. Cheap; call it now and
 * then while rows pass through.
 */
export function boundYoungGeneration(): void {
  if (bounded) return;
  const space = v8.getHeapSpaceStatistics().find((space) => space.space_name === "new_space");
  if (space !== undefined && space.space_size < enough) return;
  v8.setFlagsFromString("--semi-space-growth-factor=1");
  bounded = true;
}
