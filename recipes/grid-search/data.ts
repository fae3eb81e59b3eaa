import { normal, uniform } from "./random.ts";

/** Rows of features, one after the other, and the class of each row. */
export interface Rows {
  readonly features: Float64Array;
  readonly labels: Float64Array;
}

export interface DataSet {
  readonly columns: number;
  readonly training: Rows;
  readonly validation: Rows;
  readonly test: Rows;
}

/** Columns that tell nothing, which a network must learn to leave alone. */
const IDLE_COLUMNS = 4;
/** One label in so many of the training rows is wrong, as labels are. */
const WRONG = 20;

/** Two moons, interleaved: no straight line divides them. */
export function makeData(seed: number): DataSet {
  const random = uniform(seed);
  return {
    columns: 2 + IDLE_COLUMNS,
    training: moons(800, WRONG, random),
    validation: moons(1000, null, random),
    test: moons(2000, null, random),
  };
}

function moons(count: number, wrong: number | null, random: () => number): Rows {
  const columns = 2 + IDLE_COLUMNS;
  const features = new Float64Array(count * columns);
  const labels = new Float64Array(count);
  for (let row = 0; row < count; row++) {
    const upper = random() < 0.5;
    const angle = Math.PI * random();
    const at = row * columns;
    features[at] = (upper ? Math.cos(angle) : 1 - Math.cos(angle)) - 0.5 + 0.2 * normal(random);
    features[at + 1] = (upper ? Math.sin(angle) : 0.5 - Math.sin(angle)) - 0.25 + 0.2 * normal(random);
    for (let column = 2; column < columns; column++) features[at + column] = normal(random);
    const flipped = wrong !== null && random() < 1 / wrong;
    labels[row] = upper !== flipped ? 1 : 0;
  }
  return { features, labels };
}
