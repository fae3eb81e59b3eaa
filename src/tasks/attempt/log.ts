import { closeSync, constants, openSync, readFileSync, rmSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { format } from "node:util";
import { errorText } from "../../error-text.ts";

/** The folder is shared by all users of the machine: a file that another user created under the name must not be opened. */
const EXCLUSIVE = constants.O_WRONLY | constants.O_APPEND | constants.O_CREAT | constants.O_EXCL;

/** What an attempt writes for people. */
export interface AttemptLog {
  write(values: readonly unknown[]): void;
}

/** Characters of a log that are kept. */
const MOST = 64 * 1024;
const CUT = "… the rest of this log was left out\n";

/** Keeps the lines in memory, up to a bound. */
export class MemoryLog implements AttemptLog {
  #text = "";
  #full = false;

  write(values: readonly unknown[]): void {
    if (this.#full) return;
    const line = logLine(values);
    this.#full = this.#text.length + line.length > MOST;
    this.#text += this.#full ? CUT : line;
  }

  /** Undefined when nothing was written. */
  get text(): string | undefined {
    return this.#text === "" ? undefined : this.#text;
  }
}

/** A file that a child writes its lines to, so that they are there when it is killed. */
export class FileLog implements AttemptLog {
  readonly #path: string;
  #file: number | undefined;
  #written = 0;

  constructor(path: string) {
    this.#path = path;
  }

  write(values: readonly unknown[]): void {
    if (this.#written > MOST) return;
    const line = logLine(values);
    this.#written += line.length;
    this.#file ??= openSync(this.#path, EXCLUSIVE, 0o600);
    writeSync(this.#file, this.#written > MOST ? CUT : line);
  }

  close(): void {
    if (this.#file !== undefined) closeSync(this.#file);
    this.#file = undefined;
  }
}

/** Where the child of an attempt writes its log. */
export function logPath(attempt: string): string {
  return join(tmpdir(), `pawl-log-${attempt}`);
}

/** Reads a child's log and removes it; undefined when it wrote none. */
export function takeLog(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8") || undefined;
  } catch {
    return undefined;
  } finally {
    rmSync(path, { force: true });
  }
}

function logLine(values: readonly unknown[]): string {
  return `${new Date().toISOString()} ${formatted(values)}\n`;
}

/** Formats as `console.log` does; a value that cannot be formatted does not throw, so that logging never ends an attempt. */
function formatted(values: readonly unknown[]): string {
  try {
    return format(...values);
  } catch (error) {
    return `a line that cannot be shown (${errorText(error)})`;
  }
}
