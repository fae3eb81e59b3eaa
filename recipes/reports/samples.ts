import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";

/** Writes the orders of one year for an account: the same for the same name and number. */
export async function makeOrders(folder: string, account: string, count: number): Promise<void> {
  await mkdir(folder, { recursive: true });
  let state = [...account].reduce((sum, letter) => sum * 31 + letter.charCodeAt(0), 7) >>> 0;
  const random = () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
  const lines = ["date,amount"];
  for (let n = 0; n < count; n++) {
    const day = new Date(Date.UTC(2025, 0, 1 + Math.floor((n * 365) / count)));
    lines.push(`${day.toISOString().slice(0, 10)},${(5 + random() * 400).toFixed(2)}`);
  }
  await writeFile(join(folder, `${account}.csv`), `${lines.join("\n")}\n`);
}
