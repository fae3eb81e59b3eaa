import assert from "node:assert/strict";

/** The error that the work fails with, with the code and the index that it may have. */
export async function failureOf(
  work: PromiseLike<unknown>,
): Promise<Error & { code?: string; index?: number }> {
  try {
    await work;
  } catch (error) {
    assert.ok(error instanceof Error);
    return error;
  }
  throw new assert.AssertionError({ message: "it did not fail" });
}
