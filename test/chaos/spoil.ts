import type { Shape, Value } from "./columns.ts";
import type { Dialect } from "./encode.ts";
import { encodeRecord } from "./encode.ts";
import type { Random } from "./random.ts";

/** Ways in which a row can be bad; each names what only that row suffers from. */
export type BadKind =
  | "wrong type"
  | "empty number"
  | "bad date"
  | "bad json"
  | "too long"
  | "out of range"
  | "null"
  | "check"
  | "too few"
  | "too many"
  | "invalid utf-8"
  | "nul byte"
  | "bad key";

const KINDS: readonly BadKind[] = [
  "wrong type",
  "empty number",
  "bad date",
  "bad json",
  "too long",
  "out of range",
  "null",
  "check",
  "too few",
  "too many",
  "invalid utf-8",
  "nul byte",
  "bad key",
];

/** Byte sequences that are never UTF-8: a stray byte, a cut one, an overlong one, a surrogate, beyond the last. */
const NEVER_UTF8 = ["ff", "c3", "e282", "c080", "eda080", "f4908080"].map((hex) => Buffer.from(hex, "hex"));

/** The bytes of a row that the target must refuse, made from the fields of a good one (in file order). */
export function spoil(
  random: Random,
  shape: Shape,
  order: readonly number[],
  fields: readonly Value[],
  dialect: Dialect,
): { kind: BadKind; raw: Buffer } {
  const kind = random.pick(KINDS);
  const put = (column: string, value: Value): Buffer => {
    const at = order.findIndex((index) => shape.columns[index]?.name === column);
    return encodeRecord(random, fields.with(at, value), dialect);
  };
  const raw = (): Buffer => {
    switch (kind) {
      case "wrong type":
        return put("qty", random.pick(["abc", "1.5", "1e3", "٣", "--1", "1 2", "12,5"]));
      case "empty number":
        return put("qty", "");
      case "bad date":
        return put("born", random.pick(["2024-02-31", "13/45/2024", "soon", "0000-00-00"]));
      case "bad json":
        return put("extra", random.pick(['{"n":', "{'n': 1}", '{"n": "\\u0000"}', '"\\ud800"', "{} {}"]));
      case "too long":
        return put("name", `${"x".repeat(59)}é!`);
      case "out of range":
        return random.chance(0.5) ? put("qty", "2147483648") : put("price", "123456789.00");
      case "null":
        return put("qty", null);
      case "check":
        return put("qty", "-1");
      case "too few":
        return encodeRecord(random, fields.slice(0, random.int(2, fields.length - 1)), dialect);
      case "too many":
        return encodeRecord(random, [...fields, random.pick(["", "more", null])], dialect);
      case "invalid utf-8":
        return broken(put("select", `a@${"x".repeat(random.int(0, 9))}`), random.pick(NEVER_UTF8));
      case "nul byte":
        return broken(put("select", `a@${"x".repeat(random.int(0, 9))}`), Buffer.from([0]));
      case "bad key": {
        const key = shape.columns[random.int(0, shape.keys - 1)];
        if (!key) throw new Error("a shape has a key column");
        const nonsense = key.type === "text" ? null : random.pick([null, "", "key?", "9".repeat(40)]);
        return put(key.name, nonsense);
      }
    }
  };
  return { kind, raw: raw() };
}

/** Puts bytes in the place of the last `a@`, which stands in the column spoiled. */
function broken(raw: Buffer, bytes: Buffer): Buffer {
  const at = raw.lastIndexOf("a@");
  return Buffer.concat([raw.subarray(0, at), bytes, raw.subarray(at + 2)]);
}
