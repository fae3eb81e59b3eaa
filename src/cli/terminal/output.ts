/**
 * All that Pawl says on a terminal or in a log goes through here, and nothing that came from elsewhere (a name, a
 * header, a server's message, a row) can give orders to what shows it. A check refuses other ways out.
 */
import { harmless, visible } from "../../visible.ts";

/** What a write fails with when its reader is gone: a pipe that is closed, and a terminal that is. */
const CLOSED: ReadonlySet<string | undefined> = new Set(["EPIPE", "EIO"]);

/**
 * Lets a reader such as `head`, or the terminal, close our output early: that is not an error, and not a reason to stop a load. A
 * worker whose terminal closes gets SIGHUP and ends in order, though what it says of that reaches nothing.
 */
export function tolerateClosedOutput(): void {
  for (const stream of [process.stdout, process.stderr]) {
    stream.on("error", (error: NodeJS.ErrnoException) => {
      if (!CLOSED.has(error.code)) throw error;
    });
  }
}

/** Writes to standard output: a text of several lines, or a list of lines of one each. */
export function print(text: string | readonly string[]): void {
  process.stdout.write(`${typeof text === "string" ? harmless(text) : text.map(visible).join("\n")}\n`);
}

/** Runs `work`, and sends to standard error what foreign code writes to standard output meanwhile: only the result belongs there. */
export async function besideResult<T>(work: () => Promise<T>): Promise<T> {
  const { stdout, stderr } = process;
  const { write } = stdout;
  stdout.write = stderr.write.bind(stderr);
  try {
    return await work();
  } finally {
    stdout.write = write;
  }
}

/** Writes lines to standard error: what is said beside the result. */
export function tell(text: string): void {
  process.stderr.write(`${harmless(text)}\n`);
}

/** How many cells a line of standard output has; null where it is not a terminal, so that nothing need be cut. */
export function outputColumns(): number | null {
  return process.stdout.isTTY ? (process.stdout.columns ?? 80) : null;
}

/** Writes to standard output at the speed of its reader; false when the reader has closed it. */
export async function write(text: string): Promise<boolean> {
  return await writeRaw(harmless(text));
}

/** The same for data that must arrive byte for byte. On a terminal it is made harmless, because data must not control the terminal. */
export async function writeData(bytes: string | Uint8Array): Promise<boolean> {
  if (!process.stdout.isTTY) return await writeRaw(bytes);
  return await write(typeof bytes === "string" ? bytes : Buffer.from(bytes).toString());
}

async function writeRaw(bytes: string | Uint8Array): Promise<boolean> {
  const { stdout } = process;
  if (!stdout.writable) return false;
  if (!stdout.write(bytes)) {
    await new Promise<void>((resolve) => {
      stdout.once("drain", resolve);
      stdout.once("close", resolve);
    });
    stdout.removeAllListeners("drain");
  }
  return stdout.writable;
}

/** How many columns standard output has; null where it is not a terminal. */
export function terminalWidth(): number | null {
  const { isTTY, columns } = process.stdout;
  return isTTY && columns > 0 ? columns : null;
}

/** Whether standard output is a terminal. */
export function isTerminal(): boolean {
  return process.stdout.isTTY === true;
}

/** Clears the terminal, where there is one. */
export function clearTerminal(): void {
  if (isTerminal()) process.stdout.write("\x1b[2J\x1b[H");
}

/** Where progress is drawn. */
export function progressStream(): NodeJS.WriteStream {
  return process.stderr;
}
