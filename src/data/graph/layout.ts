/**
 * Places the boxes of a graph in layers, from what feeds to what is fed, as Sugiyama's method has it: layers by the longest way, few
 * crossings by the places of neighbours, and then each box as near to the middle of its neighbours as the others let it. Plans are
 * small trees with a shared branch here and there, for which this is enough. `@viz-js/viz` would bring 4.9 MB of WebAssembly to lay out
 * the same picture, and `@dagrejs/dagre` 2.3 MB that take a second for a thousand boxes.
 */

export interface BoxSize {
  readonly width: number;
  readonly height: number;
}

/** A box's middle, or a bend of an edge. */
export interface Point {
  readonly x: number;
  readonly y: number;
}

export interface GraphLayout {
  readonly width: number;
  readonly height: number;
  /** The middle of each box, in their order. */
  readonly boxes: readonly Point[];
  /** For each edge: from the lower side of a box over its bends to the upper side of another. */
  readonly edges: readonly (readonly Point[])[];
}

const GAP_X = 28;
const GAP_Y = 44;
const MARGIN = 16;

/** Between an edge that passes and what stands beside it. */
const GAP_OF_BEND = 18;

const SWEEPS = 12;

/** A box, or a point where an edge passes a layer. */
interface Slot {
  readonly size: BoxSize;
  readonly isBend: boolean;
  readonly layer: number;
  readonly above: Slot[];
  readonly below: Slot[];
  x: number;
  /** Its place in its layer. */
  at: number;
}

/** The same for the same graph, always. Throws a RangeError for edges that form a ring. */
export function layoutOf(
  sizes: readonly BoxSize[],
  edges: readonly (readonly [from: number, to: number])[],
): GraphLayout {
  const layerOf = layersOf(sizes.length, edges);
  const boxes = sizes.map((size, at) => slot(size, layerOf[at] ?? 0, false));
  const paths = edges.map(([from, to]) => pathBetween(boxes[from] as Slot, boxes[to] as Slot));
  const layers = layersIn(boxes, paths);
  order(layers);
  place(layers);
  return measured(layers, boxes, paths);
}

/** As near to what a box feeds as can be: counted from the end. */
function layersOf(count: number, edges: readonly (readonly [number, number])[]): Int32Array {
  const depth = new Int32Array(count);
  const open = new Int32Array(count);
  const feeders: number[][] = Array.from({ length: count }, () => []);
  for (const [from, to] of edges) {
    open[from] = (open[from] as number) + 1;
    feeders[to]?.push(from);
  }
  const ready = [...open.keys()].filter((at) => open[at] === 0);
  for (const at of ready)
    for (const from of feeders[at] ?? []) {
      depth[from] = Math.max(depth[from] as number, (depth[at] as number) + 1);
      open[from] = (open[from] as number) - 1;
      if (open[from] === 0) ready.push(from);
    }
  if (ready.length < count) throw new RangeError("the edges of the graph form a ring");
  const deepest = depth.reduce((a, b) => Math.max(a, b), 0);
  return depth.map((each) => deepest - each);
}

function slot(size: BoxSize, layer: number, isBend: boolean): Slot {
  return { size, layer, isBend, above: [], below: [], x: 0, at: 0 };
}

/** The boxes at the ends of an edge, and between them a bend in each layer that it passes. */
function pathBetween(from: Slot, to: Slot): Slot[] {
  const path = [from];
  for (let layer = from.layer + 1; layer < to.layer; layer++)
    path.push(slot({ width: 0, height: 0 }, layer, true));
  path.push(to);
  for (const [at, each] of path.slice(1).entries()) {
    const before = path[at] as Slot;
    before.below.push(each);
    each.above.push(before);
  }
  return path;
}

/** In the order in which a walk from the ends up meets them, which leaves trees without crossings. */
function layersIn(boxes: readonly Slot[], paths: readonly (readonly Slot[])[]): Slot[][] {
  const layers: Slot[][] = [];
  const seen = new Set<Slot>();
  const open = [...boxes, ...paths.flat()].filter(({ below }) => below.length === 0).reverse();
  for (let each = open.pop(); each !== undefined; each = open.pop()) {
    if (seen.has(each)) continue;
    seen.add(each);
    layers[each.layer] ??= [];
    layers[each.layer]?.push(each);
    open.push(...each.above.toReversed());
  }
  for (const layer of layers) for (const [at, each] of layer.entries()) each.at = at;
  return layers;
}

/** Sorts each layer by the places of its neighbours, down and up, and keeps what has the fewest crossings. */
function order(layers: readonly Slot[][]): void {
  let best = layers.map((layer) => [...layer]);
  let fewest = crossingsOf(layers);
  for (let sweep = 0; sweep < SWEEPS && fewest > 0; sweep++) {
    const down = sweep % 2 === 0;
    for (const layer of down ? layers : layers.toReversed()) {
      const wanted = new Map(
        layer.map((each) => [each, mean(down ? each.above : each.below, ({ at }) => at) ?? each.at]),
      );
      layer.sort((a, b) => (wanted.get(a) as number) - (wanted.get(b) as number) || a.at - b.at);
      for (const [at, each] of layer.entries()) each.at = at;
    }
    const crossings = crossingsOf(layers);
    if (crossings >= fewest) continue;
    fewest = crossings;
    best = layers.map((layer) => [...layer]);
  }
  for (const [number, layer] of best.entries()) {
    layers[number]?.splice(0, layer.length, ...layer);
    for (const [at, each] of layer.entries()) each.at = at;
  }
}

/** Pairs of edges between neighbouring layers that cross; counted by inversions, in a tree of sums. */
function crossingsOf(layers: readonly (readonly Slot[])[]): number {
  let crossings = 0;
  for (const [number, layer] of layers.entries()) {
    const next = layers[number + 1]?.length ?? 0;
    const sums = new Int32Array(next + 1);
    let counted = 0;
    for (const each of layer) {
      const ends = each.below.map(({ at }) => at).sort((a, b) => a - b);
      for (const end of ends) {
        let before = 0;
        for (let at = end + 1; at > 0; at -= at & -at) before += sums[at] as number;
        crossings += counted - before;
      }
      for (const end of ends) {
        counted++;
        for (let at = end + 1; at <= next; at += at & -at) sums[at] = (sums[at] as number) + 1;
      }
    }
  }
  return crossings;
}

function mean(slots: readonly Slot[], of: (slot: Slot) => number): number | null {
  return slots.length === 0 ? null : slots.reduce((sum, each) => sum + of(each), 0) / slots.length;
}

/** Gives each slot its x: the middle of its neighbours, as near as order and gaps allow. */
function place(layers: readonly (readonly Slot[])[]): void {
  for (const layer of layers) spread(layer, (_, at) => at);
  for (let sweep = 0; sweep < 2 * SWEEPS; sweep++) {
    const down = sweep % 2 === 0;
    const last = sweep >= SWEEPS;
    for (const layer of down ? layers : layers.toReversed())
      spread(layer, (each) => {
        const near = last ? [...each.above, ...each.below] : down ? each.above : each.below;
        return mean(near, ({ x }) => x) ?? each.x;
      });
  }
}

/**
 * The places nearest to those that are wanted, by least squares, in the same order and without overlaps: pools of slots that
 * touch each other take the mean of what they want.
 */
function spread(layer: readonly Slot[], wantedOf: (slot: Slot, at: number) => number): void {
  const pools: { sum: number; weight: number; slots: number }[] = [];
  const offsets: number[] = [];
  let offset = 0;
  for (const [at, each] of layer.entries()) {
    const before = layer[at - 1];
    if (before !== undefined)
      offset +=
        (before.size.width + each.size.width) / 2 + (before.isBend || each.isBend ? GAP_OF_BEND : GAP_X);
    offsets.push(offset);
    // A long edge is straight before a box is in the middle.
    const weight = each.isBend ? 4 : 1;
    pools.push({ sum: (wantedOf(each, at) - offset) * weight, weight, slots: 1 });
    for (
      let last = pools.at(-1), other = pools.at(-2);
      last && other;
      last = pools.at(-1), other = pools.at(-2)
    ) {
      if (other.sum / other.weight <= last.sum / last.weight) break;
      pools.pop();
      other.sum += last.sum;
      other.weight += last.weight;
      other.slots += last.slots;
    }
  }
  let at = 0;
  for (const { sum, weight, slots } of pools)
    for (let each = 0; each < slots; each++, at++)
      (layer[at] as Slot).x = sum / weight + (offsets[at] as number);
}

function measured(
  layers: readonly (readonly Slot[])[],
  boxes: readonly Slot[],
  paths: readonly (readonly Slot[])[],
): GraphLayout {
  const all = layers.flat();
  const left = all.reduce(
    (least, { x, size }) => Math.min(least, x - size.width / 2),
    Number.POSITIVE_INFINITY,
  );
  const right = all.reduce(
    (most, { x, size }) => Math.max(most, x + size.width / 2),
    Number.NEGATIVE_INFINITY,
  );
  const tops: number[] = [];
  const heights = layers.map((layer) => layer.reduce((most, { size }) => Math.max(most, size.height), 0));
  let y = MARGIN;
  for (const height of heights) {
    tops.push(y);
    y += height + GAP_Y;
  }
  const xOf = ({ x }: Slot) => rounded(x - left + MARGIN);
  const yOf = ({ layer }: Slot, share: number) => rounded((tops[layer] ?? 0) + (heights[layer] ?? 0) * share);
  // An edge passes a layer straight on, so that it does not touch a high box beside it.
  const bendsOf = (each: Slot) => [0, 1].map((share) => ({ x: xOf(each), y: yOf(each, share) }));
  const endOf = (each: Slot, side: 1 | -1) => ({
    x: xOf(each),
    y: rounded(yOf(each, 0.5) + (side * each.size.height) / 2),
  });
  const edges = paths.map((path) => [
    endOf(path[0] as Slot, 1),
    ...path.slice(1, -1).flatMap(bendsOf),
    endOf(path.at(-1) as Slot, -1),
  ]);
  const isEmpty = all.length === 0;
  return {
    width: Math.ceil(isEmpty ? 2 * MARGIN : right - left + 2 * MARGIN),
    height: Math.ceil(isEmpty ? 2 * MARGIN : y - GAP_Y + MARGIN),
    boxes: boxes.map((each) => ({ x: xOf(each), y: yOf(each, 0.5) })),
    edges,
  };
}

/** To a tenth: the same text wherever it is made. */
function rounded(value: number): number {
  return Math.round(value * 10) / 10;
}
