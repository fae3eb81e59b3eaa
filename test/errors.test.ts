import assert from "node:assert/strict";
import { test } from "node:test";
import { PawlError, TransientError } from "../src/errors.ts";

test("a TransientError has a message, whether or not a code comes before it", () => {
  const cause = new Error("reset");
  for (const [error, code, message] of [
    [new TransientError("The service is away."), "transient", "The service is away."],
    [new TransientError("The service is away.", { cause }), "transient", "The service is away."],
    [new TransientError("shop.away", "The shop is away."), "shop.away", "The shop is away."],
    [new TransientError("shop.away", "The shop is away.", { cause }), "shop.away", "The shop is away."],
    [new TransientError("shop.away", ""), "shop.away", ""],
  ] as const) {
    assert.ok(error instanceof PawlError);
    assert.deepEqual([error.code, error.message, error.name], [code, message, "TransientError"]);
  }
  assert.equal(new TransientError("away", { cause }).cause, cause);
  assert.equal(new TransientError("shop.away", "away", { cause }).cause, cause);
});
