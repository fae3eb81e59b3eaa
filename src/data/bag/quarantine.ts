import { closeSync, openSync } from "node:fs";
import { join } from "node:path";
import { type Spill, writeAll } from "./segments.ts";

/** A malformed line as a part sets it aside. */
export interface SetAside {
  readonly file: string;
  /** Its line where it is known: of a replayed line, that of the first time. */
  readonly line: number | null;
  /** Lines of the part that precede it. */
  readonly before: number;
  readonly offset: number;
  readonly reason: string;
  readonly text?: string;
  readonly base64?: string;
}

/** Writes the malformed lines of one part, as lines of JSON, into the spill folder. */
export class QuarantineWriter {
  readonly #file: string;
  readonly #handle: number;
  #lines = 0;

  constructor({ folder, name }: Spill) {
    this.#file = join(folder, `${name}.quarantine`);
    this.#handle = openSync(this.#file, "wx", 0o600);
  }

  add(line: SetAside): void {
    writeAll(this.#handle, Buffer.from(`${JSON.stringify(line)}\n`));
    this.#lines++;
  }

  finish(): { file: string; lines: number } {
    closeSync(this.#handle);
    return { file: this.#file, lines: this.#lines };
  }
}
