import { grouped, plural } from "../../count-text.ts";
import type { Frame, FrameRunOptions } from "../../data/index.ts";
import { PawlError } from "../../errors.ts";
import { fileFormat } from "../../file-format.ts";
import { sizeText } from "../../sizes.ts";
import { jsonText, visible } from "../../visible.ts";
import { parseNames } from "../options/parse.ts";
import { print } from "../terminal/output.ts";

/** The flags of commands that write files, as the command line gives them. */
export interface OutputFlags {
  readonly format?: string;
  readonly overwrite?: boolean;
  readonly append?: boolean;
  readonly partitionBy?: readonly string[];
  readonly compression?: string;
  readonly delimiter?: string;
  readonly json?: boolean;
}

const FORMATS = ["csv", "jsonl", "parquet"] as const;

/** Writes the rows of a frame into a file or a folder, and says what was written. */
export async function writeTo(
  frame: Frame,
  to: string,
  flags: OutputFlags,
  options: FrameRunOptions,
): Promise<void> {
  const { overwrite = false, append = false, delimiter, json = false } = flags;
  const format = formatOf(to, flags);
  const partitionBy = (flags.partitionBy ?? []).flatMap((names) => parseNames(names, "--partition-by"));
  if (partitionBy.length > 0 && format !== "parquet")
    throw new PawlError(
      "usage.output",
      "--partition-by writes folders of Parquet files: name a folder, or --format parquet.",
    );
  if (append && format !== "parquet")
    throw new PawlError(
      "usage.output",
      "--append adds Parquet files to a folder, and the result is not a folder.",
    );
  if (delimiter !== undefined && format !== "csv")
    throw new PawlError("usage.output", "--delimiter is for CSV, and the result is not one.");
  const compression = flags.compression === undefined ? {} : { compression: flags.compression as never };
  const all = { ...options, overwrite, ...compression };
  const { rows, files } =
    format === "parquet"
      ? await frame.writeParquet(to, { ...all, append, ...(partitionBy.length === 0 ? {} : { partitionBy }) })
      : format === "csv"
        ? await frame.writeCsv(to, { ...all, ...(delimiter === undefined ? {} : { delimiter }) })
        : await frame.writeJsonl(to, all);
  const bytes = files.reduce((sum, file) => sum + file.bytes, 0);
  if (json) return print(jsonText({ rows, bytes, files }));
  const where = files.length === 1 ? visible(to) : `${plural(files.length, "file")} below ${visible(to)}`;
  print(`${grouped(rows)} ${rows === 1 ? "row" : "rows"} in ${where} (${sizeText(bytes)})`);
}

function formatOf(to: string, { format, partitionBy }: OutputFlags): (typeof FORMATS)[number] {
  if (format !== undefined) {
    const known = FORMATS.find((each) => each === format.toLowerCase());
    if (known !== undefined) return known;
    throw new PawlError("usage.output", `--format takes ${FORMATS.join(", ")}, not "${format}".`);
  }
  const told = fileFormat(to)?.format;
  if (told === "excel")
    throw new PawlError(
      "usage.output",
      "Excel files are read, and not written: name a .csv or .parquet file.",
    );
  if (told !== undefined) return told;
  if (partitionBy !== undefined) return "parquet";
  throw new PawlError(
    "usage.output",
    `The name ${JSON.stringify(to)} does not say how the rows are written: it must end in .csv, .tsv, .jsonl, .ndjson or .parquet, or give --format.`,
  );
}
