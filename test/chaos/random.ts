import { createHash } from "node:crypto";

/** A stream of random draws that is the same for the same seed, on every machine (sfc32, seeded by SHA-256). */
export class Random {
  readonly #seed: string;
  readonly #state: Uint32Array;

  constructor(seed: string) {
    this.#seed = seed;
    this.#state = new Uint32Array(new Uint8Array(createHash("sha256").update(seed).digest()).buffer, 0, 4);
    for (let i = 0; i < 12; i++) this.next();
  }

  /** An independent stream: what one part draws never shifts what another part draws. */
  fork(name: string): Random {
    return new Random(`${this.#seed}/${name}`);
  }

  /** At least 0, below 1. */
  next(): number {
    const s = this.#state;
    const [a, b, c, d] = s as unknown as [number, number, number, number];
    const t = (a + b + d) | 0;
    s[3] = d + 1;
    s[0] = b ^ (b >>> 9);
    s[1] = c + (c << 3);
    s[2] = ((c << 21) | (c >>> 11)) + t;
    return (t >>> 0) / 4294967296;
  }

  /** A whole number from `low` to `high`, both included. */
  int(low: number, high: number): number {
    return low + Math.floor(this.next() * (high - low + 1));
  }

  chance(probability: number): boolean {
    return this.next() < probability;
  }

  pick<T>(list: readonly T[]): T {
    return list[Math.floor(this.next() * list.length)] as T;
  }

  /** One of the names, as often as its weight says. */
  weighted<K extends string>(weights: Readonly<Record<K, number>>): K {
    const entries = Object.entries(weights) as [K, number][];
    let rest = this.next() * entries.reduce((sum, [, weight]) => sum + weight, 0);
    for (const [name, weight] of entries) {
      rest -= weight;
      if (rest < 0) return name;
    }
    return (entries.at(-1) as [K, number])[0];
  }

  /** As many of the items as `n`, in random order. */
  sample<T>(list: readonly T[], n: number): T[] {
    const left = [...list];
    const taken: T[] = [];
    while (taken.length < n && left.length > 0) {
      const at = this.int(0, left.length - 1);
      taken.push(left[at] as T);
      left[at] = left.at(-1) as T;
      left.pop();
    }
    return taken;
  }
}
