import { setOwn } from "../../../own.ts";
/** The sections of a file such as ~/.aws/config: names to values; indented lines belong to the name above them. */
export function parseIni(text: string): ReadonlyMap<string, Readonly<Record<string, string>>> {
  const sections = new Map<string, Record<string, string>>();
  let section: Record<string, string> | null = null;
  let outer: string | null = null;
  for (const line of text.split(/\r?\n/)) {
    if (/^\s*([#;].*)?$/.test(line)) continue;
    const heading = /^\s*\[\s*(.+?)\s*\]/.exec(line);
    if (heading) {
      const name = (heading[1] as string).replace(/^profile\s+/, "");
      section = sections.get(name) ?? {};
      sections.set(name, section);
      outer = null;
      continue;
    }
    const pair = /^(\s*)([^=]+?)\s*=\s*(.*?)\s*$/.exec(line);
    if (pair === null || section === null) continue;
    const [, indent = "", name = "", value = ""] = pair;
    if (indent !== "" && outer !== null) setOwn(section, `${outer}.${name}`, value);
    else {
      setOwn(section, name, value);
      outer = value === "" ? name : null;
    }
  }
  return sections;
}
