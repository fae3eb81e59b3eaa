import { callable } from "../../dist/pool/index.js";

/** What the benchmark of actors calls. */
export class Tally {
  #sum = 0;

  add(amount: number): number {
    this.#sum += amount;
    return this.#sum;
  }
}
callable(import.meta, Tally);
