/** Lets a reader such as `head` close our output early: that is no error, and no reason to stop a load. */
export function tolerateClosedOutput(): void {
  for (const stream of [process.stdout, process.stderr]) {
    stream.on("error", (error: NodeJS.ErrnoException) => {
      if (error.code !== "EPIPE") throw error;
    });
  }
}

/** Writes to standard output at the speed of its reader; false once nobody reads any more. */
export async function write(bytes: string | Uint8Array): Promise<boolean> {
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
