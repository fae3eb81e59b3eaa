/** Characters that stand for one another between groups of digits: what a person types, and what a program writes. */
const ALIKE: readonly string[] = [" \u00a0\u202f\u2009\u2007", "'\u2019\u02bc"];

/** A character with those that stand for it. */
export function alikes(character: string): string {
  return ALIKE.find((each) => each.includes(character)) ?? character;
}

/**
 * Reads numbers as a country writes them. Null for what is not a number, such as one with its separators in the
 * wrong positions: where the point stands between thousands, the one of `1.5`, `0.123` and `1.234e5` stands before decimals.
 * Groups have three digits, or in India two before the last three.
 */
export function numberReader(decimal: string, thousands: string): (text: string) => string | null {
  const point = escaped(decimal || ".");
  const sign = "^(?<sign>[+-]?)[ \\u00a0\\u202f]?";
  const end = "(?<minus>-?)$";
  const plain = new RegExp(
    `${sign}(?:(?<whole>\\d+)(?:${point}(?<rest>\\d*))?|${point}(?<alone>\\d+))(?<power>[eE][+-]?\\d+)?${end}`,
    "u",
  );
  const between = thousands === "" ? null : `[${escaped(alikes(thousands))}]`;
  const grouped =
    between === null
      ? null
      : new RegExp(
          `${sign}(?<whole>[1-9]\\d{0,2}(?:${between}\\d{3})+|[1-9]\\d?(?:${between}\\d{2})+${between}\\d{3})(?:${point}(?<rest>\\d*))?${end}`,
          "u",
        );
  const gaps = between === null ? null : new RegExp(between, "gu");
  return (text) => {
    // The minus sign of typesetting, as some countries' programs write it.
    const trimmed = text.trim().replace("\u2212", "-");
    if (/^[+-]?(?:nan|inf|infinity)$/i.test(trimmed)) return trimmed;
    const match = plain.exec(trimmed) ?? grouped?.exec(trimmed);
    if (!match) return null;
    const { sign = "", whole, rest, alone, power = "", minus = "" } = match.groups ?? {};
    // A sign stands before the number or behind it, as in books.
    if (sign !== "" && minus !== "") return null;
    const digits = whole === undefined ? "0" : gaps === null ? whole : whole.replace(gaps, "");
    const decimals = rest || alone;
    return `${minus || sign}${digits}${decimals ? `.${decimals}` : ""}${power}`;
  };
}

/** The characters as a part of a regular expression, or of a class in one. */
export function escaped(characters: string): string {
  return characters.replace(/[\\\]^$.*+?(){}|[\-/]/g, "\\$&");
}
