import assert from "node:assert/strict";
import { test } from "node:test";
import { elementsOf, escaped, textOf } from "../../../../src/connect/objects/bucket-service/xml.ts";

test("an answer of a server is read out of its XML", () => {
  const xml = "<R><A><Key>a&amp;b&#34;&#x41;</Key></A><A><Key/></A><A><Key></Key></A><T>1</T></R>";
  assert.deepEqual(
    [...elementsOf(xml, "A")].map((one) => textOf(one, "Key")),
    ['a&b"A', null, ""],
  );
  assert.equal(textOf(xml, "None"), null);
  assert.equal(textOf(`<x>${escaped(`<&">'`)}</x>`, "x"), `<&">'`);
});
