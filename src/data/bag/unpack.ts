import { compressionOf, Decompressor } from "../../connect/csv/internal.ts";
import { errorReason } from "../../error-text.ts";
import { PawlError } from "../../errors.ts";

export { compressionOf };

interface PackedFile {
  readonly name: string;
  readonly path: string;
  readonly compression: "gzip" | "zstd" | null;
}

/** The bytes of a packed file: of all members of gzip, of all frames of Zstandard. Errors: `bag.corrupt-archive`. */
export async function* unpacked(file: PackedFile, packed: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  const compression = file.compression ?? "gzip";
  const stored = (async function* () {
    yield* packed;
  })();
  const decompressor = new Decompressor(compression, { name: file.name, path: file.path, pipe: false });
  try {
    yield* decompressor.bytes(stored);
  } catch (error) {
    if (!(error instanceof PawlError) || error.code !== "csv.corrupt-archive") throw error;
    const cause =
      error.cause === undefined
        ? ""
        : ` (${compression} says '${errorReason(error.cause)}' after ${decompressor.consumed} bytes)`;
    throw new PawlError(
      "bag.corrupt-archive",
      `${file.name} is cut off or damaged, or has something behind its ${compression} data${cause}: fetch the file again.`,
      { cause: error.cause },
    );
  }
}
