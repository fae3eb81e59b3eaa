import v8 from "node:v8";

/** Beyond this a larger nursery saves next to no time; rows that pass through live for milliseconds. */
const ENOUGH_BYTES = 16 * 1024 * 1024;

let bounded = false;

/**
 * Keeps V8's nursery, the space for young objects, from growing with the memory of the machine: left alone it takes
 * more than a hundred megabytes on a large one, whatever our budget, to hold rows that died long ago. Its bound can
 * be given only on the command line of Node; that it stops growing can be said at any time. Cheap; call it now and
 * then while rows pass through.
 */
export function boundNursery(): void {
  if (bounded) return;
  const nursery = v8.getHeapSpaceStatistics().find((space) => space.space_name === "new_space");
  if (nursery !== undefined && nursery.space_size < ENOUGH_BYTES) return;
  v8.setFlagsFromString("--semi-space-growth-factor=1");
  bounded = true;
}
