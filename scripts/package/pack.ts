import { cpSync, mkdirSync, symlinkSync } from "node:fs";
import { basename, join } from "node:path";
import { succeed } from "./command.ts";

/** What `npm pack` says of the tarball it made. */
export interface Tarball {
  readonly path: string;
  readonly bytes: number;
  readonly unpackedBytes: number;
  readonly files: readonly string[];
}

/** Left behind by working in a checkout; a clean one has none of these. */
const leftovers = new Set(["node_modules", ".git", "dist", ".pawl", ".peers"]);

/**
 * Packs a copy of the checkout, so that the build starts from nothing and the `dist/` that a process may be running
 * from is left alone.
 */
export function pack(checkout: string, scratch: string): Tarball {
  const copy = join(scratch, "checkout");
  cpSync(checkout, copy, { recursive: true, filter: (source) => !leftovers.has(basename(source)) });
  symlinkSync(join(checkout, "node_modules"), join(copy, "node_modules"));
  const destination = join(scratch, "tarball");
  mkdirSync(destination);
  // What the build prints comes before the JSON, which begins at the first line that opens an array or object.
  const printed = succeed("npm", ["pack", "--json", "--pack-destination", destination], copy);
  const parsed: unknown = JSON.parse(printed.slice(printed.search(/^[[{]/m)));
  const [packed] = Object.values(parsed as Record<string, NpmPacked>);
  if (!packed) throw new Error(`npm pack named no tarball:\n${printed}`);
  return {
    path: join(destination, packed.filename),
    bytes: packed.size,
    unpackedBytes: packed.unpackedSize,
    files: packed.files.map((file) => file.path),
  };
}

interface NpmPacked {
  readonly filename: string;
  readonly size: number;
  readonly unpackedSize: number;
  readonly files: readonly { readonly path: string }[];
}
