/** A name as SQL takes it literally. */
export function quoteName(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}

/** The server cuts names after so many bytes, without a word. */
const nameBytes = 63;

/** A name as the server knows it. */
export function cutName(name: string): string {
  const bytes = Buffer.from(name);
  if (bytes.length <= nameBytes) return name;
  let end = nameBytes;
  // Not within a character.
  while (((bytes[end] as number) & 0xc0) === 0x80) end--;
  return bytes.toString("utf8", 0, end);
}

/** What to begin names of our own with, so that none is among these: `pawl_`, or with a number where a column is called so. */
export function freshPrefix(names: readonly string[]): string {
  const taken = names.map((name) => name.toLowerCase()).filter((name) => name.startsWith("pawl"));
  for (let n = 0; ; n++) {
    const prefix = `pawl${n === 0 ? "" : n}_`;
    if (!taken.some((name) => name.startsWith(prefix))) return prefix;
  }
}

/** A text as an SQL literal, whatever the server's setting for backslashes. */
export function quoteText(text: string): string {
  const quoted = `'${text.replaceAll("'", "''")}'`;
  return text.includes("\\") ? ` E${quoted.replaceAll("\\", "\\\\")}` : quoted;
}

/** A part of a dotted name; one written in double quotes is not folded to lower case. */
export interface NamePart {
  readonly text: string;
  readonly quoted: boolean;
}

/** Splits `schema.table` or `"Schema"."Table"`; null when it is neither. */
export function parseName(name: string): NamePart[] | null {
  const parts: NamePart[] = [];
  const pattern = /(?:"((?:[^"]|"")+)"|([^".]+))(\.|$)/y;
  let last = ".";
  while (pattern.lastIndex < name.length) {
    const match = pattern.exec(name);
    if (match === null) return null;
    parts.push(
      match[1] === undefined
        ? { text: match[2] ?? "", quoted: false }
        : { text: match[1].replaceAll('""', '"'), quoted: true },
    );
    last = match[3] ?? "";
  }
  return last === "" && parts.length > 0 && parts.length <= 2 ? parts : null;
}
