import { DIGITS, POINTS, type Sample } from "./digits.ts";

const HIDDEN = 24;
const EPOCHS = 12;
const RATE = 0.05;

/** The weights of a network with one hidden layer; the last weight of each row is the bias. */
export interface Weights {
  readonly hidden: readonly (readonly number[])[];
  readonly out: readonly (readonly number[])[];
}

type Layer = Float64Array[];

/** The probability of each digit. */
export function probabilities({ hidden, out }: Weights, points: Float64Array): Float64Array {
  return softmax(forward(out, forward(hidden, points).map(Math.tanh)));
}

/** Stochastic gradient descent on the cross entropy of the samples. */
export function train(samples: readonly Sample[], random: () => number): Weights {
  const layer = (rows: number, inputs: number): Layer =>
    Array.from({ length: rows }, () =>
      Float64Array.from({ length: inputs + 1 }, () => (random() - 0.5) / Math.sqrt(inputs)),
    );
  const hidden = layer(HIDDEN, POINTS);
  const out = layer(DIGITS, HIDDEN);
  for (let epoch = 0; epoch < EPOCHS; epoch++) {
    for (const { points, digit } of samples) {
      const active = forward(hidden, points).map(Math.tanh);
      const errors = softmax(forward(out, active));
      errors[digit] = (errors[digit] ?? 0) - 1;
      const back = active.map((value, at) => {
        let sum = 0;
        for (let row = 0; row < DIGITS; row++) sum += (errors[row] ?? 0) * (out[row]?.[at] ?? 0);
        return sum * (1 - value * value);
      });
      descend(out, active, errors);
      descend(hidden, points, back);
    }
  }
  const plain = (rows: Layer) => rows.map((row) => [...row]);
  return { hidden: plain(hidden), out: plain(out) };
}

function forward(layer: readonly ArrayLike<number>[], inputs: Float64Array): Float64Array {
  return Float64Array.from(layer, (row) => {
    let sum = row[inputs.length] ?? 0;
    for (let at = 0; at < inputs.length; at++) sum += (row[at] ?? 0) * (inputs[at] ?? 0);
    return sum;
  });
}

function descend(layer: Layer, inputs: Float64Array, errors: Float64Array): void {
  for (const [at, row] of layer.entries()) {
    const step = RATE * (errors[at] ?? 0);
    for (let input = 0; input < inputs.length; input++) {
      row[input] = (row[input] ?? 0) - step * (inputs[input] ?? 0);
    }
    row[inputs.length] = (row[inputs.length] ?? 0) - step;
  }
}

function softmax(values: Float64Array): Float64Array {
  const most = Math.max(...values);
  const powers = values.map((value) => Math.exp(value - most));
  const sum = powers.reduce((total, power) => total + power, 0);
  return powers.map((power) => power / sum);
}
