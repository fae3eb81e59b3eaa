import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { strangeValues } from "../../strange-values.ts";
import { type Bad, clean, inline, inProcess, inThread, patient, ways } from "../fixtures/content.ts";
import { type OpenPlace, Stage } from "./stage.ts";
import { WorkerCommand } from "./worker-command.ts";

const CONTENT = fileURLToPath(new URL("../fixtures/content.ts", import.meta.url));

/** Each way with each value, or with each nth where that would take too long. */
function* misuses(nth: number): Generator<Bad> {
  let n = 0;
  for (const way of Object.keys(ways) as Bad["way"][]) {
    for (const kind of Object.keys(strangeValues)) {
      // These mean to go on for ever, and may.
      if (way === "returns" && kind === "a proxy that answers anything with itself") continue;
      if (way.includes("delay") && kind === "minus zero") continue;
      if (n++ % nth === 0) yield { way, kind };
    }
  }
}

/** `nth`: of the misuses, those that are made inline, in threads and in processes. */
export function content(open: OpenPlace, nth: readonly [number, number, number]): void {
  test("nothing that a handler throws, leaves or stores stops a worker, and its neighbours finish", async () => {
    await using stage = await Stage.open(open);
    const { client, store, address, folder } = stage;
    const gate = join(folder, "open");
    const waits = await client.enqueue(patient, gate);
    let cleanOnes = 0;
    for (const [n, definition] of [inline, inThread, inProcess].entries()) {
      for (const bad of misuses(nth[n] as number)) {
        await client.enqueue(definition, bad);
        if (cleanOnes++ % 5 === 0) await client.enqueue(clean, cleanOnes);
      }
    }
    await using worker = new WorkerCommand(address, CONTENT, "--queues", "default:16");
    await worker.ready();
    const isOpen = async () =>
      (await store.query({ queue: "default", states: ["leased", "waiting"] })).filter(
        ({ due, state, name }) =>
          name !== "waits-for-file" && (state === "leased" || (due !== null && due < Date.now() + 60_000)),
      );
    let left = await isOpen();
    while (left.length > 0) {
      const ended = await Promise.race([worker.exited, sleep(200)]);
      assert.equal(ended, undefined, `the worker ended: ${worker.said.slice(-3_000)}`);
      left = await isOpen();
    }
    assert.equal((await stage.task(waits.id)).fence, 1);
    writeFileSync(gate, "");
    await stage.until(waits.id, ({ state }) => state === "succeeded");
    for (const { name, payload, state, error, crashes } of await store.query({ queue: "default" })) {
      const what = `${name} ${JSON.stringify(payload)}: ${state} ${error}`;
      assert.equal(crashes, 0, what);
      if (name === "clean-neighbour" && typeof payload === "number") assert.equal(state, "succeeded", what);
      if (error !== null) assert.ok(error.length > 0 && error.length < 5_000, what);
      const { way = "" } = (payload ?? {}) as Partial<Bad>;
      if (/^(throws|rejects|leaves)/.test(way) && !way.includes("delay")) assert.equal(state, "dead", what);
    }
    worker.signal("SIGTERM");
    assert.deepEqual(await worker.exited, { code: 0, signal: null });
  });
}
