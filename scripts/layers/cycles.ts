/** Each file with the files it imports. */
export type Graph = ReadonlyMap<string, readonly string[]>;

/** The shortest cycle through each knot of files that import one another; a cycle begins and ends with one file. */
export function cyclesOf(graph: Graph): string[][] {
  const cycles: string[][] = [];
  const reported = new Set<string>();
  for (const file of [...graph.keys()].sort()) {
    if (reported.has(file)) continue;
    const cycle = wayBack(graph, file);
    if (!cycle) continue;
    for (const each of cycle) reported.add(each);
    cycles.push(cycle);
  }
  return cycles;
}

/** Breadth first, so that the cycle is the shortest one through this file. */
function wayBack(graph: Graph, from: string): string[] | undefined {
  const cameFrom = new Map<string, string>();
  const queue = [from];
  for (const file of queue) {
    for (const next of graph.get(file) ?? []) {
      if (next === from) {
        const path = [from];
        for (let at = file; at !== from; at = cameFrom.get(at) as string) path.unshift(at);
        return [from, ...path];
      }
      if (cameFrom.has(next)) continue;
      cameFrom.set(next, file);
      queue.push(next);
    }
  }
  return undefined;
}
