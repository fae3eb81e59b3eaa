/** A slow and plain reading of CSV by PostgreSQL's rules, to hold the fast one against. */
export interface ReferenceRecord {
  /** As written, without line end. */
  readonly raw: string;
  readonly line: number;
  readonly values: readonly (string | null)[];
}

export function referenceRecords(
  text: string,
  delimiter = ",",
  quote = '"',
  nullValues = "",
): ReferenceRecord[] {
  const records: ReferenceRecord[] = [];
  let raw = "";
  let line = 1;
  let startLine = 1;
  let inside = false;
  const flush = () => {
    if (raw.endsWith("\r")) raw = raw.slice(0, -1);
    records.push({ raw, line: startLine, values: referenceFields(raw, delimiter, quote, nullValues) });
    raw = "";
  };
  for (const character of text) {
    if (character === "\n") line++;
    if (character === quote) inside = !inside;
    if (character === "\n" && !inside) {
      flush();
      startLine = line;
    } else raw += character;
  }
  if (raw !== "") flush();
  return records;
}

function referenceFields(raw: string, delimiter: string, quote: string, nullValues: string) {
  const fields: (string | null)[] = [];
  let value = "";
  let inside = false;
  let quoted = false;
  for (let at = 0; at <= raw.length; at++) {
    const character = raw[at];
    if (at === raw.length || (character === delimiter && !inside)) {
      fields.push(!quoted && value === nullValues ? null : value);
      value = "";
      quoted = false;
    } else if (character === quote) {
      if (inside && raw[at + 1] === quote) {
        value += quote;
        at++;
      } else {
        inside = !inside;
        quoted = true;
      }
    } else value += character;
  }
  return fields;
}
