import assert from "node:assert/strict";
import { test } from "node:test";
import { each, Pool, type Settled } from "../../src/pool/index.ts";
import { all } from "./all.ts";

const half = (n: number): number => {
  if (n % 2 !== 0) throw new RangeError(`${n} is odd`);
  return n / 2;
};
const pairs: [number][] = [[1], [2], [3]];
const items = [1, 2, 3];

test("collected errors are told in one way by every call, and the other way of reading them does not compile", async () => {
  await using pool = new Pool({ workers: 1 });
  const options = { errors: "collect" } as const;
  const faces: readonly (readonly Settled<number>[])[] = [
    await pool.map(half, items, options),
    await pool.starmap(half, pairs, options),
    await all(pool.imap(half, items, options)),
    await all(pool.imapUnordered(half, items, options)),
    await each(items, half, options),
    await all(each(items, half, options)),
  ];
  for (const results of faces) {
    const failed = results.filter((one) => one.status === "rejected");
    assert.deepEqual(
      failed.map(({ reason }) => [(reason as Error).message, (reason as { index: number }).index]),
      [
        ["1 is odd", 0],
        ["3 is odd", 2],
      ],
    );
    const [good] = results.filter((one) => one.status === "fulfilled");
    assert.equal(good?.value, 1);
  }

  const [first, second] = await pool.map(half, items, options);
  assert.ok(first !== undefined && second !== undefined);
  // @ts-expect-error a settled result is not a number
  const wrong: number = first;
  // @ts-expect-error nor a number or an error
  const either: number | Error = first;
  // @ts-expect-error an error is not in the place of the result
  if (first instanceof Error) assert.fail(first.message);
  // @ts-expect-error which has no message
  const message: string = first.message;
  // @ts-expect-error there is a value only where the status is "fulfilled"
  const value: number = second.value;
  assert.deepEqual([wrong, either, message, value], [first, first, undefined, 1]);

  const plain: number[] = await pool.map(half, [2, 4]);
  assert.deepEqual(plain, [1, 2]);
  for (const errors of ["colect", true, null]) {
    const misspelt = { errors } as unknown as { errors: "collect" };
    await assert.rejects(pool.map(half, items, misspelt), { code: "pool.option" });
    await assert.rejects(pool.starmap(half, pairs, misspelt), { code: "pool.option" });
    await assert.rejects(all(pool.imap(half, items, misspelt)), { code: "pool.option" });
    assert.throws(() => each(items, half, misspelt), { code: "pool.option" });
  }
});
