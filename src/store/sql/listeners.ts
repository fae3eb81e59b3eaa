import type { Topic } from "./driver.ts";

/** The listeners of one open store. They are called soon; what happens in one turn of the event loop is one call. */
export class Listeners {
  readonly #listeners: Readonly<Record<Topic, Set<() => void>>> = { work: new Set(), results: new Set() };
  readonly #calling = new Set<Topic>();

  get isEmpty(): boolean {
    return this.#listeners.work.size + this.#listeners.results.size === 0;
  }

  /** Returns a function that removes the listener. */
  add(topic: Topic, listener: () => void): () => void {
    const listeners = this.#listeners[topic];
    // A function of its own for each call: the same listener may be given twice.
    const entry = () => listener();
    listeners.add(entry);
    return () => listeners.delete(entry);
  }

  call(topic: Topic): void {
    const listeners = this.#listeners[topic];
    if (this.#calling.has(topic) || listeners.size === 0) return;
    this.#calling.add(topic);
    setImmediate(() => {
      this.#calling.delete(topic);
      for (const listener of listeners) listener();
    });
  }
}
