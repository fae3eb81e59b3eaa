/** A name as SQL takes it literally. */
export function quoteName(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}

/** What to begin names of our own with, so that none is among these: `pawl_`, or longer where a column is called so. */
export function freshPrefix(names: readonly string[]): string {
  let prefix = "pawl_";
  while (names.some((name) => name.toLowerCase().startsWith(prefix))) prefix = `${prefix}_`;
  return prefix;
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
