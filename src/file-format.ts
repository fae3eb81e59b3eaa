import { PawlError } from "./errors.ts";

/** What a file holds, by its name. */
export interface FileFormat {
  readonly format: "csv" | "parquet" | "jsonl" | "excel";
  /** How the whole file is compressed; pages within a Parquet file are another matter. */
  readonly compression: "gzip" | "zstd" | "none";
  /** What parts the values of a line, for files whose name says it. */
  readonly delimiter: string | null;
}

const FORMATS: ReadonlyMap<string, FileFormat["format"]> = new Map([
  ["csv", "csv"],
  ["tsv", "csv"],
  ["parquet", "parquet"],
  ["pq", "parquet"],
  ["jsonl", "jsonl"],
  ["ndjson", "jsonl"],
  ["xlsx", "excel"],
]);

const COMPRESSIONS: ReadonlyMap<string, FileFormat["compression"]> = new Map([
  ["gz", "gzip"],
  ["zst", "zstd"],
]);

/** What a path, a pattern or an address says of the format of its files; null where its ending says nothing. */
export function fileFormat(location: string): FileFormat | null {
  // What follows a question mark of a web address does not belong to its path; elsewhere it is part of a name or pattern.
  const path = /^https?:/i.test(location) ? (location.split(/[?#]/)[0] as string) : location;
  // The pattern `*.csv*` means CSV files, compressed or not.
  const endings = path
    .slice(path.lastIndexOf("/") + 1)
    .replace(/[*?]+$/, "")
    .toLowerCase()
    .split(".")
    .slice(1);
  const compression = COMPRESSIONS.get(endings.at(-1) ?? "");
  const ending = endings.at(compression === undefined ? -1 : -2) ?? "";
  const format = FORMATS.get(ending);
  // Parquet and Excel compress what they hold: there is no second layer.
  if (format === undefined || (compression !== undefined && format !== "csv" && format !== "jsonl"))
    return null;
  return {
    format,
    compression: compression ?? "none",
    delimiter: ending === "tsv" ? "\t" : format === "csv" ? "," : null,
  };
}

/** The same for a location that must say it. Throws PawlError("data.format"). */
export function knownFormat(location: string): FileFormat {
  const found = fileFormat(location);
  if (found !== null) return found;
  throw new PawlError(
    "data.format",
    `The name ${JSON.stringify(location)} does not say what the file holds: it must end in .csv, .tsv, .jsonl, .ndjson (each also with .gz or .zst), .parquet or .xlsx.`,
  );
}
