import assert from "node:assert/strict";
import { test } from "node:test";
import { asError, errorStack, errorText, isOf, LONGEST_ERROR_TEXT } from "../src/error-text.ts";
import { strangeValues } from "./strange-values.ts";

test("whatever is thrown has a text that can be stored", () => {
  for (const [name, make] of Object.entries(strangeValues)) {
    const thrown = make();
    const text = errorText(thrown);
    assert.ok(text.length > 0 && text.length <= LONGEST_ERROR_TEXT + 1, `${name}: ${text.length} characters`);
    assert.ok(text.isWellFormed() && !text.includes("\0"), name);
    const stack = errorStack(thrown);
    assert.ok(stack.length > 0 && stack.isWellFormed() && !stack.includes("\0"), name);
    assert.equal(typeof asError(thrown).message, "string", name);
    assert.equal(typeof isOf(thrown, RangeError), "boolean", name);
    assert.ok(errorText(thrown, 10).length <= 11, name);
  }
});

test("the text of an error is its message", () => {
  assert.equal(errorText(new Error("the disk is full")), "the disk is full");
  assert.equal(errorText(strangeValues["an error of another realm"]?.()), "of another realm");
  assert.equal(errorText({ message: "answered 500" }), "answered 500");
});

test("an error without a message is known by its parts, or by its name", () => {
  assert.equal(errorText(new RangeError("")), "RangeError");
  assert.equal(
    errorText(new AggregateError([new Error("one"), new AggregateError(["two"], "")], "")),
    "one; two",
  );
});

test("what is not an error is shown as what it is", () => {
  assert.equal(errorText(Symbol("why")), "Symbol(why)");
  assert.equal(errorText(undefined), "undefined");
  assert.equal(errorText(""), "''");
  assert.equal(errorText({ code: 7 }), "{ code: 7 }");
  assert.equal(errorText(Object.assign(new Error("x"), { message: { code: 1 } })), "{ code: 1 }");
  assert.equal(errorText("a\0b"), "a\u2400b");
});

test("an error that can be read is itself, and anything else becomes one", () => {
  const error = new Error("x");
  assert.equal(asError(error), error);
  assert.equal(asError("a text").message, "a text");
  assert.equal(asError(strangeValues["a message that cannot be read"]?.()).message, "Error");
});
