import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, it } from "node:test";
import { decimal, float64, readParquet, text } from "pawl/data";
import { totals } from "./totals.ts";

let folder: string;

before(async () => {
  folder = await mkdtemp(join(tmpdir(), "pawl-recipe-"));
});

after(async () => {
  await rm(folder, { recursive: true, force: true });
});

it("sums, counts and averages what is above 100, to the cent", async () => {
  const cents = new Map<string, { total: bigint; n: number }>();
  for (let file = 0; file < 3; file++) {
    const lines = ["id,user,amount,currency"];
    for (let row = 0; row < 2_000; row++) {
      const user = `u${(row * 7 + file) % 50}`;
      const amount = BigInt((row * 7_919) % 30_000);
      lines.push(`${file}-${row},${user},${amount / 100n}.${String(amount % 100n).padStart(2, "0")},EUR`);
      if (amount <= 10_000n) continue;
      const known = cents.get(user) ?? { total: 0n, n: 0 };
      cents.set(user, { total: known.total + amount, n: known.n + 1 });
    }
    await writeFile(join(folder, `transactions_${file}.csv`), `${lines.join("\n")}\n`);
  }
  const to = join(folder, "totals.parquet");
  const { rows } = await totals(join(folder, "transactions_*.csv")).writeParquet(to);
  assert.equal(rows, cents.size);
  const found = await readParquet(to, {
    user: text(),
    totalAmount: decimal(38, 2),
    meanAmount: float64(),
  }).collect();
  for (const { user, totalAmount, meanAmount } of found) {
    const { total, n } = cents.get(user) ?? { total: -1n, n: 0 };
    assert.equal(totalAmount.replace(".", ""), total.toString());
    assert.ok(Math.abs(meanAmount - Number(total) / 100 / n) < 1e-9);
  }
});

it("ends where a value is not an amount, and leaves no file", async () => {
  await writeFile(join(folder, "bad_1.csv"), "id,user,amount,currency\n1,ada,150.00,EUR\n2,bob,a lot,EUR\n");
  const to = join(folder, "bad.parquet");
  await assert.rejects(totals(join(folder, "bad_*.csv")).writeParquet(to), /bad_1\.csv|a lot/);
  await assert.rejects(readParquet(to, { user: text() }).count());
});
