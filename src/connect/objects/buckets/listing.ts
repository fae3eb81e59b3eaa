import { textOf } from "./xml.ts";

/** What is wrong with an object that has content under the very name of the folder that is copied. */
export const NAMELESS =
  "its name is that of the folder itself, which leaves none for its copy: copy the folder around it";

/**
 * In what a listing answers another question than that for all that begins with a prefix: it holds `groups`, by which a server stands
 * for many objects with one element, or says that it was asked for less. Null where it does not. `keyOf` decodes what it says.
 */
export function answersOther(
  xml: string,
  keyOf: (text: string) => string | null,
  prefix: string,
  groups: string,
): string | null {
  const delimiter = textOf(xml, "Delimiter") ?? "";
  if (delimiter !== "" || new RegExp(`<${groups}[\\s>]`).test(xml))
    return "it groups what it lists by folders, which it was not asked to";
  const of = textOf(xml, "Prefix") ?? "";
  const isLess = [of, keyOf(of)].every((each) => each !== null && each !== prefix && each.startsWith(prefix));
  return isLess ? `asked for ${prefix || "all"}, it lists ${of}` : null;
}
