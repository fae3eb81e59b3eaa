import { PawlError } from "../../../errors.ts";

interface Format {
  readonly what: string;
  /** What it begins with, in hexadecimal. Long enough, or binary enough, that no header of a CSV looks like it. */
  readonly magic: RegExp;
  /** A command that writes the CSV to a pipe, or what else to do. */
  readonly advice: (file: string) => string;
}

const pipe = (command: string) => (file: string) =>
  `unpack it into a pipe: ${command.replace("FILE", () => file)} | pawl load - …`;
const writeAgain = () => "write it as CSV with the program that made it";

/** Formats that are given in place of a CSV, and how to make a CSV of each. */
const FORMATS: readonly Format[] = [
  { what: "an xz archive", magic: /^fd377a585a00/, advice: pipe("xz -dc FILE") },
  {
    what: "a bzip2 archive",
    magic: /^425a683[1-9](?:314159265359|177245385090)/,
    advice: pipe("bzip2 -dc FILE"),
  },
  { what: "a 7-Zip archive", magic: /^377abcaf271c/, advice: pipe("7z e -so FILE") },
  { what: "a RAR archive", magic: /^526172211a07/, advice: pipe("unrar p -inul FILE") },
  { what: "an lz4 archive", magic: /^(?:04224d|02214c)18/, advice: pipe("lz4 -dc FILE") },
  { what: "an lzip archive", magic: /^4c5a495001/, advice: pipe("lzip -dc FILE") },
  { what: "an lzop archive", magic: /^894c5a4f000d0a1a0a/, advice: pipe("lzop -dc FILE") },
  { what: "a Snappy archive", magic: /^ff060000734e61507059/, advice: pipe("snzip -dc FILE") },
  { what: "a compress archive", magic: /^1f(?:9d|a0)/, advice: pipe("uncompress -c FILE") },
  { what: "a tar archive", magic: /^.{514}7573746172(?:00|202000)/, advice: pipe("tar -xOf FILE") },
  { what: "a zip archive", magic: /^504b(?:0304|0506|0708)/, advice: pipe("unzip -p FILE") },
  {
    what: "a Parquet file",
    magic: /^504152(?:31|45)[01]5/,
    advice: pipe(`duckdb -csv -c "FROM 'FILE'"`),
  },
  // What is packed once is unpacked before it is checked here.
  {
    what: "packed twice",
    magic: /^(?:1f8b08|28b52ffd)/,
    advice: () => "unpack it once, and load what comes out",
  },
  { what: "an Arrow file", magic: /^4152524f573100/, advice: writeAgain },
  { what: "an ORC file", magic: /^4f52430[0-8]/, advice: writeAgain },
  { what: "an Avro file", magic: /^4f626a01/, advice: writeAgain },
  {
    what: "an SQLite database",
    magic: /^53514c69746520666f726d6174203300/,
    advice: pipe("sqlite3 -header -csv FILE 'SELECT * FROM …'"),
  },
  {
    what: "an Excel or Office file of the old format",
    magic: /^d0cf11e0a1b11ae1/,
    advice: () => "save the sheet as CSV",
  },
  { what: "a PDF", magic: /^255044462d/, advice: () => "export the table as CSV" },
];

/** How many bytes `refuseOtherFormat` wants to see. */
export const FORMAT_HEAD = 512;

/** Refuses bytes that are another format. Errors: `csv.other-format`. */
export function refuseOtherFormat(head: Buffer, name: string): void {
  const text = head.toString("hex", 0, FORMAT_HEAD);
  for (const { what, magic, advice } of FORMATS) if (magic.test(text)) refuse(name, what, advice);
}

/** Refuses text that is another format. Errors: `csv.other-format`. */
export function refuseOtherText(head: Buffer, name: string): void {
  const text = head.toString("utf8", 0, 4096).trimStart();
  if (/^\[\s*\{\s*(?:"|\})/.test(text) || /^\{\s*"(?:[^"\\\n]|\\.)*"\s*:/.test(text)) {
    const rows = text.startsWith("[") ? ".[]" : ".";
    refuse(name, "JSON", pipe(`jq -r '${rows} | [.id, .name] | @csv' FILE`));
  }
  if (/^<\?xml\b/i.test(text)) refuse(name, "XML", writeAgain);
  if (/^<(?:!doctype\s+html|html)\b/i.test(text))
    refuse(name, "a web page, perhaps an error or a sign-in page", () => "fetch the file itself");
}

function refuse(name: string, what: string, advice: Format["advice"]): never {
  const plain = /^[\w./~+@%:=-]+$/.test(name);
  const file = name === "standard input" ? "FILE" : plain ? name : `'${name.replaceAll("'", "'\\''")}'`;
  throw new PawlError("csv.other-format", `${name} is ${what} and not a CSV: ${advice(file)}.`);
}
