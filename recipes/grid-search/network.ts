import type { Rows } from "./data.ts";
import { normal, uniform } from "./random.ts";

export interface Parameters {
  readonly learningRate: number;
  readonly batch: number;
  readonly dropout: number;
  readonly width: number;
}

/** One hidden layer of rectified units, one logistic output, learnt by plain gradient descent in small batches. */
export class Network {
  readonly #columns: number;
  readonly #width: number;
  readonly #dropout: number;
  readonly #random: () => number;
  /** A row of weights a hidden unit, the last of which is its bias. */
  readonly #inner: Float64Array;
  /** One weight a hidden unit, then the bias. */
  readonly #outer: Float64Array;
  readonly #innerSlope: Float64Array;
  readonly #outerSlope: Float64Array;
  readonly #hidden: Float64Array;

  constructor(columns: number, { width, dropout }: Parameters, seed: number) {
    this.#columns = columns;
    this.#width = width;
    this.#dropout = dropout;
    this.#random = uniform(seed);
    // The start of He et al., 2015, for rectified units.
    const scale = Math.sqrt(2 / columns);
    this.#inner = Float64Array.from({ length: width * (columns + 1) }, (_, at) =>
      at % (columns + 1) === columns ? 0 : scale * normal(this.#random),
    );
    this.#outer = Float64Array.from({ length: width + 1 }, (_, at) =>
      at === width ? 0 : Math.sqrt(1 / width) * normal(this.#random),
    );
    this.#innerSlope = new Float64Array(this.#inner.length);
    this.#outerSlope = new Float64Array(this.#outer.length);
    this.#hidden = new Float64Array(width);
  }

  /** Goes through the rows so many times, each time in another order. */
  train({ features, labels }: Rows, { learningRate, batch }: Parameters, epochs: number): void {
    const order = Uint32Array.from(labels, (_, row) => row);
    for (let epoch = 0; epoch < epochs; epoch++) {
      this.#shuffle(order);
      for (let from = 0; from < order.length; from += batch) {
        const rows = order.subarray(from, from + batch);
        this.#innerSlope.fill(0);
        this.#outerSlope.fill(0);
        for (const row of rows) this.#learn(features, row, labels[row] as number);
        descend(this.#inner, this.#innerSlope, learningRate / rows.length);
        descend(this.#outer, this.#outerSlope, learningRate / rows.length);
      }
    }
  }

  /** Mean logarithmic loss, and the part of the rows that are told right. */
  judge({ features, labels }: Rows): { readonly loss: number; readonly accuracy: number } {
    let loss = 0;
    let right = 0;
    for (let row = 0; row < labels.length; row++) {
      const label = labels[row] as number;
      const chance = this.#forward(features, row, 0);
      loss -= Math.log(Math.max(1e-12, label === 1 ? chance : 1 - chance));
      if (chance >= 0.5 === (label === 1)) right++;
    }
    return { loss: loss / labels.length, accuracy: right / labels.length };
  }

  /** The chance of class 1. Units are left out by `dropout`, and the others made up for. */
  #forward(features: Float64Array, row: number, dropout: number): number {
    const columns = this.#columns;
    let out = this.#outer[this.#width] as number;
    for (let unit = 0; unit < this.#width; unit++) {
      let sum = 0;
      if (dropout === 0 || this.#random() >= dropout) {
        const weights = unit * (columns + 1);
        sum = this.#inner[weights + columns] as number;
        for (let column = 0; column < columns; column++) {
          sum += (this.#inner[weights + column] as number) * (features[row * columns + column] as number);
        }
        sum = Math.max(0, sum) / (1 - dropout);
      }
      this.#hidden[unit] = sum;
      out += sum * (this.#outer[unit] as number);
    }
    return 1 / (1 + Math.exp(-out));
  }

  /** Adds the slope of the loss at one row. */
  #learn(features: Float64Array, row: number, label: number): void {
    const columns = this.#columns;
    const error = this.#forward(features, row, this.#dropout) - label;
    for (let unit = 0; unit < this.#width; unit++) {
      const active = this.#hidden[unit] as number;
      if (active === 0) continue;
      add(this.#outerSlope, unit, error * active);
      const inner = (error * (this.#outer[unit] as number)) / (1 - this.#dropout);
      const weights = unit * (columns + 1);
      for (let column = 0; column < columns; column++) {
        add(this.#innerSlope, weights + column, inner * (features[row * columns + column] as number));
      }
      add(this.#innerSlope, weights + columns, inner);
    }
    add(this.#outerSlope, this.#width, error);
  }

  #shuffle(order: Uint32Array): void {
    for (let last = order.length - 1; last > 0; last--) {
      const other = Math.floor(this.#random() * (last + 1));
      const kept = order[last] as number;
      order[last] = order[other] as number;
      order[other] = kept;
    }
  }
}

function add(to: Float64Array, at: number, value: number): void {
  to[at] = (to[at] as number) + value;
}

function descend(weights: Float64Array, slope: Float64Array, step: number): void {
  for (let at = 0; at < weights.length; at++) add(weights, at, -step * (slope[at] as number));
}
