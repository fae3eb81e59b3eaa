import { callable, get, type Ref } from "pawl/pool";
import type { DataSet } from "./data.ts";
import { Network, type Parameters } from "./network.ts";

export interface Trial extends Parameters {
  readonly data: Ref<DataSet>;
}

export interface Score extends Parameters {
  /** Of the validation rows, which the networks never learnt from. */
  readonly loss: number;
  readonly accuracy: number;
}

const EPOCHS = 30;
const SEED = 7;

/** Every combination, in order. */
export function grid(): Parameters[] {
  const all: Parameters[] = [];
  for (const learningRate of [0.003, 0.03, 0.3, 3])
    for (const batch of [8, 32, 128])
      for (const dropout of [0, 0.2, 0.5])
        for (const width of [2, 8, 32]) all.push({ learningRate, batch, dropout, width });
  return all;
}

/** Trains one network. The same parameters give the same network, wherever it is trained. */
export function trained({ columns, training }: DataSet, parameters: Parameters): Network {
  const network = new Network(columns, parameters, SEED);
  network.train(training, parameters, EPOCHS);
  return network;
}

export const score = callable(import.meta, ({ data, ...parameters }: Trial): Score => {
  // Read in place: no copy was sent, and none is made.
  const set = get(data);
  return { ...parameters, ...trained(set, parameters).judge(set.validation) };
});
