import assert from "node:assert/strict";
import { test } from "node:test";
import { parsePairs, parsePositiveDuration, parseSize } from "../src/cli/options/parse.ts";
import { PlainRowDecoder } from "../src/connect/csv/rows/plain-row-decoder.ts";
import { bucketError } from "../src/connect/objects/bucket-service/errors.ts";
import { parseIni } from "../src/connect/objects/bucket-service/settings.ts";
import { textOf } from "../src/connect/objects/bucket-service/xml.ts";
import { contentTypeOf } from "../src/connect/objects/content-headers.ts";
import { explainFile } from "../src/connect/objects/files/file-error.ts";
import { headersOf, propertiesOf } from "../src/connect/objects/s3/properties.ts";
import { S3 } from "../src/connect/objects/s3/service.ts";
import { readRow } from "../src/connect/postgres/source/table-reader.ts";
import { type Duration, milliseconds } from "../src/durations.ts";
import { TransientError } from "../src/errors.ts";
import { own, setOwn } from "../src/own.ts";
import { bucketRate } from "../src/tasks/define/task.ts";
import { visible } from "../src/visible.ts";
import { fc } from "./random.ts";

/** Names that every object inherits: content may have them, and no dictionary may find anything under them. */
const inherited = Object.getOwnPropertyNames(Object.prototype);

const anyName = fc.oneof(fc.constantFrom(...inherited), fc.string());

test("a record has exactly the properties it was given, whatever they are called", () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(anyName, fc.string())), fc.array(anyName), (given, asked) => {
      const record: Record<string, string> = {};
      for (const [name, value] of given) setOwn(record, name, value);
      const map = new Map(given);
      assert.equal(Object.getPrototypeOf(record), Object.prototype);
      assert.deepEqual(new Map(Object.entries(record)), new Map([...map].sort(byKeyOrderOf(record))));
      for (const name of [...asked, ...map.keys()]) assert.equal(own(record, name), map.get(name));
    }),
    { seed: 12, numRuns: 300 },
  );
});

/** Names that are numbers come first in an object. */
function byKeyOrderOf(record: object): (a: [string, string], b: [string, string]) => number {
  const order = new Map(Object.keys(record).map((name, at) => [name, at]));
  return ([a], [b]) => (order.get(a) ?? 0) - (order.get(b) ?? 0);
}

for (const name of inherited) {
  test(`"${name}" as a unit, an end of a name, a code or an entity is an unknown one`, () => {
    assert.throws(() => parseSize(`5${name}`, "--memory"), { code: "usage.size" });
    assert.throws(() => parsePositiveDuration(`5${name}`, "--wait"), { code: "argument.duration" });
    assert.throws(() => milliseconds(`5${name}` as Duration, "timeout"), { code: "argument.duration" });
    assert.throws(() => bucketRate("bucket", `5/${name}` as "5/s"), { code: "task.rate-limit" });
    assert.equal(contentTypeOf(`file.${name}`), null);
    assert.ok(
      explainFile(Object.assign(new Error("x"), { code: name }), "a", "read") instanceof TransientError,
    );
    const { fatal } = bucketError(S3, "s3://b", {
      status: 400,
      headers: {},
      body: Buffer.from(`<Error><Code>${name}</Code></Error>`),
    });
    assert.equal(fatal, null);
    assert.equal(textOf(`<A>&${name};</A>`, "A"), `&${name};`);
    assert.equal(visible(name), name);
  });

  test(`"${name}" as a column, an option, metadata or a setting keeps its value, and has none where none was given`, () => {
    assert.deepEqual(Object.entries(parsePairs([`${name}=1`, "a=2"], "--set")), [
      [name, "1"],
      ["a", "2"],
    ]);
    assert.throws(() => parsePairs([`${name}=1`, `${name}=2`], "--set"), { code: "usage.pair" });
    const answer = JSON.parse(`{"x-amz-meta-${name}": "1", "content-type": "text/plain"}`);
    const properties = propertiesOf(answer, null);
    assert.deepEqual(Object.entries(properties.metadata), [[name, "1"]]);
    assert.deepEqual(headersOf(properties), answer);
    assert.deepEqual(Object.entries(parseIni(`[one]\n${name} = 1\n`).get("one") ?? {}), [[name, "1"]]);
    const decoder = new PlainRowDecoder({ delimiter: ",", quote: '"', nullValue: "" }, [name, "b"], "\n");
    decoder.decode(Buffer.from("1,2\n"));
    const rows: unknown[] = [];
    decoder.fill(rows as never, 1);
    assert.deepEqual(Object.entries(rows[0] as object), [
      [name, "1"],
      ["b", "2"],
    ]);
    const { row } = readRow({ keyset: { columns: [] }, columns: [{ name }] } as never, ["xmin", "1"]);
    assert.deepEqual(Object.entries(row), [[name, "1"]]);
  });
}
