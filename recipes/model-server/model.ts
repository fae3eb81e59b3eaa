import { readFileSync, writeFileSync } from "node:fs";
import { callable } from "pawl/pool";
import { pointsOf, samples, seeded } from "./digits.ts";
import { probabilities, train, type Weights } from "./network.ts";

export interface Prediction {
  readonly digit: number;
  readonly probability: number;
  /** The process that answered. */
  readonly worker: number;
}

/** A model in memory: loaded once, asked many times. */
export class Model {
  readonly #weights: Weights;

  constructor(path: string) {
    this.#weights = JSON.parse(readFileSync(path, "utf8"));
  }

  /** Null for what is not a drawing. */
  predict(drawing: string): Prediction | null {
    const points = pointsOf(drawing);
    if (points === null) return null;
    const all = probabilities(this.#weights, points);
    const probability = Math.max(...all);
    return { digit: all.indexOf(probability), probability, worker: process.pid };
  }
}
callable(import.meta, Model);

/** Trains a model, writes it to a file, and returns the share of right answers on digits that it has not seen. */
export function makeModel(path: string, seed: number): number {
  const random = seeded(seed);
  const weights = train(samples(6000, random), random);
  writeFileSync(path, JSON.stringify(weights));
  const unseen = samples(2000, random);
  const right = unseen.filter(({ points, digit }) => {
    const all = probabilities(weights, points);
    return all.indexOf(Math.max(...all)) === digit;
  });
  return right.length / unseen.length;
}
