import assert from "node:assert/strict";
import { test } from "node:test";
import { type CsvOptions, csv } from "../../../src/connect/csv/index.ts";
import { Folder } from "./fixture.ts";

test("a comment does not begin with the delimiter, also where that is found in the file", async () => {
  await using folder = await Folder.make();
  await assert.rejects(csv(await folder.file("id;v\n1;a\n;b\n"), { comment: ";" }).describe(), {
    code: "csv.option",
    message: /`comment` is ";", which is the delimiter/,
  });
});

test("an option that is given empty is refused, unless the empty text is what it means", () => {
  const empty: CsvOptions[] = [
    { delimiter: "" },
    { quote: "" },
    { escape: "" },
    { quote: null, escape: "" },
    { comment: "" },
    { nullValues: [] },
    { nullValuesFor: { a: [] } },
    { decimal: "" },
    { thousands: "" },
    { dateOrder: "" as "dmy" },
    { fileColumn: "" },
    { lineColumn: " " },
    { encoding: "" },
    { skipLines: Number("x") },
  ];
  for (const options of empty)
    assert.throws(() => csv("x.csv", options), { code: "csv.option" }, JSON.stringify(options));
  for (const options of [{ nullValues: "" }, { nullValuesFor: { a: "" } }] satisfies CsvOptions[])
    csv("x.csv", options);
});

test("options that have no meaning or contradict each other are refused at once", () => {
  for (const options of [
    { delimiter: ";;" },
    { quote: "\n" },
    { delimiter: "'", quote: "'" },
    { nullValues: "a,b", delimiter: "," },
    { encoding: "klingon" },
    { maxRecordSize: 0 },
  ] satisfies CsvOptions[])
    assert.throws(() => csv("x.csv", options), { code: "csv.option" });
});
