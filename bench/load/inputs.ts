import { createReadStream, createWriteStream, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import { createGzip } from "node:zlib";
import { type Content, generate } from "./generate.ts";

export type InputName = "plain" | "changed" | "shuffled" | "duplicates" | "small" | "gzip";

export interface Input {
  readonly path: string;
  readonly rows: number;
  /** Different keys among them. */
  readonly keys: number;
  /** Uncompressed. */
  readonly bytes: number;
  /** Inputs of one content leave the same rows in an empty table. */
  readonly content: string;
}

const duplicates = 10;

/** The files to load, each written when it is first asked for. */
export class Inputs {
  readonly #directory: string;
  readonly #contents: Readonly<Record<Exclude<InputName, "gzip">, Content>>;
  readonly #made = new Map<InputName, Input>();

  constructor(directory: string, rows: number, smallRows: number) {
    this.#directory = directory;
    this.#contents = {
      plain: { rows },
      changed: { rows, changed: true },
      shuffled: { rows, shuffled: true },
      duplicates: { rows, duplicates },
      small: { rows: smallRows },
    };
  }

  async get(name: InputName): Promise<Input> {
    const made = this.#made.get(name) ?? (name === "gzip" ? await this.#compress() : this.#generate(name));
    this.#made.set(name, made);
    return made;
  }

  /** Makes room on the disk once no case needs the file any more. */
  drop(name: InputName): void {
    const made = this.#made.get(name);
    if (made) rmSync(made.path);
    this.#made.delete(name);
  }

  #generate(name: Exclude<InputName, "gzip">): Input {
    const content = this.#contents[name];
    const path = join(this.#directory, `${name}.csv`);
    const bytes = generate(path, content);
    // The same keys with the same values in another order.
    const { rows } = content;
    const keys = rows - (content.duplicates ?? 0);
    return { path, rows, keys, bytes, content: name === "shuffled" ? "plain" : name };
  }

  async #compress(): Promise<Input> {
    const plain = await this.get("plain");
    const path = join(this.#directory, "plain.csv.gz");
    await pipeline(createReadStream(plain.path), createGzip({ level: 1 }), createWriteStream(path));
    console.error(`${path}: ${Math.round(statSync(path).size / 1e6)} MB compressed`);
    return { ...plain, path };
  }
}
