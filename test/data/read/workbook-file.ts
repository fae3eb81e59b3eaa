import { type Packed, zipFile } from "../../connect/csv/open/zip-file.ts";

const RELATION = "http://schemas.openxmlformats.org/officeDocument/2006/relationships";

/** What is in a workbook that a test makes. */
export interface WorkbookParts {
  readonly sheets?: Readonly<Record<string, string>>;
  readonly strings?: string;
  readonly styles?: string;
  readonly workbook?: string;
  readonly more?: readonly Packed[];
}

/** A workbook with the rows of its sheets in XML; `more` adds parts, or takes the place of others. */
export function workbook({
  sheets = {},
  strings = "",
  styles = "",
  workbook = "",
  more = [],
}: WorkbookParts): Buffer {
  const names = Object.keys(sheets);
  const relation = (id: string, kind: string, target: string) =>
    `<Relationship Id="${id}" Type="${RELATION}/${kind}" Target="${target}"/>`;
  const members: Packed[] = [
    { name: "[Content_Types].xml", text: "<Types/>" },
    {
      name: "xl/workbook.xml",
      text: `<workbook xmlns:r="${RELATION}">${workbook}<sheets>${names.map((name, at) => `<sheet name="${name}" sheetId="${at + 1}" r:id="rId${at}"/>`).join("")}</sheets></workbook>`,
    },
    {
      name: "xl/_rels/workbook.xml.rels",
      text: `<Relationships>${names.map((_, at) => relation(`rId${at}`, "worksheet", `worksheets/sheet${at}.xml`)).join("")}${relation("s", "sharedStrings", "/xl/sharedStrings.xml")}${relation("t", "styles", "styles.xml")}</Relationships>`,
    },
    { name: "xl/sharedStrings.xml", text: `<sst>${strings}</sst>` },
    { name: "xl/styles.xml", text: `<styleSheet>${styles}</styleSheet>` },
    ...names.map((name, at) => ({
      name: `xl/worksheets/sheet${at}.xml`,
      text: `<worksheet><sheetData>${sheets[name]}</sheetData></worksheet>`,
    })),
  ];
  const replaced = new Set(more.map(({ name }) => name));
  return zipFile([...members.filter(({ name }) => !replaced.has(name)), ...more]);
}

/** A cell with a text of its own. */
export const inline = (text: string, place = "") => `<c ${place} t="inlineStr"><is><t>${text}</t></is></c>`;
