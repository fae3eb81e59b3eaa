import { gzipSync } from "node:zlib";
import type { Case } from "./case.ts";

const HEADER = "id,name,age,boss,joined\n";
const people = (content: string | Buffer) => ({ "people.csv": content });
const into = (...flags: string[]) => ["people.csv", "--table", "people", ...flags];

/** Inputs that cannot be begun with. */
export const files: readonly Case[] = [
  {
    name: "a missing file whose name is near another",
    load: ["poeple.csv", "--table", "people"],
    code: 2,
    says: /poeple\.csv does not exist; is it .*people\.csv\?/,
  },
  {
    name: "a missing file",
    load: ["elsewhere/x.csv", "--table", "people"],
    code: 2,
    says: /elsewhere\/x\.csv does not exist: check the path/,
  },
  {
    name: "a pattern that nothing matches",
    load: ["in-*.csv", "--table", "people"],
    code: 2,
    says: /No file matches in-\*\.csv/,
  },
  { name: "an empty file", files: people(""), code: 2, says: /people\.csv is empty/ },
  {
    name: "a directory",
    files: { "in/a.csv": "id,name\n1,a\n" },
    load: ["in", "--table", "people"],
    code: 2,
    says: /in is a directory: name its files, such as '.*in\/\*\.csv'/,
  },
  {
    name: "no column that the table has",
    files: people("foo,bar\n1,2\n"),
    code: 2,
    says: /None of the columns of people\.csv \(foo, bar\) is in public\.people \(id, name/,
  },
  {
    name: "one column with a slip in its name",
    files: people("id,nmae\n1,Ada\n"),
    code: 2,
    says: /no column for "nmae" of people\.csv: did you mean name\?/,
  },
  {
    name: "a column twice in the header",
    files: people("id,name,id\n1,Ada,1\n"),
    code: 2,
    says: /the header names "id" twice, as columns 1 and 3/,
  },
  {
    name: "a header that is not UTF-8",
    files: people(Buffer.from("id,n\xe4me\n1,Ada\n", "latin1")),
    code: 2,
    says: /line 1: the header is not valid UTF-8: give --encoding/,
  },
  {
    name: "a NOT NULL column that is not in the file",
    files: people("id,age\n1,5\n"),
    code: 2,
    says: /"name"/,
  },
  {
    name: "several files with different headers",
    files: { "a.csv": "id,name\n1,a\n", "b.csv": "id,age\n2,5\n" },
    load: ["a.csv", "b.csv", "--table", "people"],
    code: 2,
    says: /b\.csv lacks the column "name" and has a column "age", other than a\.csv/,
  },
  {
    name: "a .gz that breaks off",
    files: { "people.csv.gz": gzipSync("id,name\n1,Ada\n").subarray(0, -9) },
    load: ["people.csv.gz", "--table", "people"],
    code: 2,
    says: /people\.csv\.gz/,
  },
  {
    name: "an unclosed quote",
    files: people('id,name\n1,Ada\n2,"Grace\n3,Edsger\n4,Alan\n'),
    code: 4,
    says: /people\.csv line 3: the quote that opens here is never closed/,
    ids: [],
  },
];

/** Rows that go to the quarantine while the others are loaded. */
export const rows: readonly Case[] = [
  {
    name: "a header and nothing else",
    files: people(HEADER),
    code: 0,
    ids: [],
    also: ({ err }) => {
      if (!/has a header but no rows/.test(err)) throw new Error(err);
    },
  },
  {
    name: "ragged rows",
    files: people("id,name\n1,Ada\n2\n3,c,d\n4,Alan\n"),
    code: 3,
    quarantined: [
      ["people.csv line 3", /^row has 1 field, the header has 2$/],
      ["people.csv line 4", /^row has 3 fields, the header has 2$/],
    ],
    ids: [1, 4],
  },
  {
    name: "a NUL byte",
    files: people("id,name\n1,Ada\n2,Gr\0ace\n3,Edsger\n"),
    code: 3,
    quarantined: [["people.csv line 3", /^row contains a NUL byte/]],
    ids: [1, 3],
  },
  {
    name: "invalid UTF-8",
    files: people(Buffer.from("id,name\n1,Ada\n2,Gr\xffce\n3,Edsger\n", "latin1")),
    code: 3,
    quarantined: [["people.csv line 3", /^row is not valid UTF-8/]],
    ids: [1, 3],
  },
  {
    name: "wrong types, values out of range, nulls, foreign keys and checks",
    files: people(
      `${HEADER}1,Ada,5,,\nx,b,5,,\n3,c,99999,,\n4,,5,,\n5,e,5,77,\n6,f,151,,\n7,g,,,2026-02-30\n8,h,,1,2026-02-28\n`,
    ),
    code: 3,
    quarantined: [
      ["people.csv line 3", /Column "id": invalid input syntax for type integer: "x"/],
      ["people.csv line 4", /Column "age": value "99999" is out of range for type smallint/],
      ["people.csv line 5", /Column "name" may not be null/],
      ["people.csv line 6", /Foreign key people_boss_fkey is violated: Key \(boss\)=\(77\)/],
      ["people.csv line 7", /Check constraint people_age_check is violated/],
      ["people.csv line 8", /Column "joined": .*out of range: "2026-02-30"/],
    ],
    ids: [1, 8],
  },
  {
    name: "rows whose key is there, with --on-conflict fail",
    sql: "INSERT INTO people VALUES (2, 'old')",
    files: people("id,name\n1,Ada\n2,Grace\n"),
    load: into("--on-conflict", "fail"),
    code: 3,
    quarantined: [["people.csv line 3", /A row with the key \(id\) = \(2\) is there already/]],
    ids: [1, 2],
  },
  {
    name: "more bad rows than --max-quarantined allows",
    files: people("id,name\nx,a\ny,b\nz,c\n4,Alan\n"),
    load: into("--max-quarantined", "2"),
    code: 4,
    says: /3 rows are quarantined, more than the 2 that --max-quarantined allows/,
  },
  {
    name: "a larger share of bad rows than --max-quarantined allows",
    files: people("id,name\nx,a\ny,b\n3,c\n4,Alan\n"),
    load: into("--max-quarantined", "10%"),
    code: 4,
    says: /2 rows are quarantined, more than the 10% that --max-quarantined allows/,
  },
];
