import assert from "node:assert/strict";
import { test } from "node:test";
import { ActorDiedError, actor, control, Pool } from "../../../src/pool/index.ts";
import { clean, spoil } from "../fixtures/hostile.ts";
import { Hostile } from "./fixtures/hostile.ts";

const THEN = "lets all objects inherit then (function)";

for (const act of [
  "replaces Promise.prototype.then",
  "replaces Array.prototype.push",
  "replaces process.nextTick",
  "lets all objects inherit index 0",
  THEN,
]) {
  test(`an actor whose method ${act} answers, and so does the next call`, async () => {
    await using spoiled = await actor(Hostile, [], { maxRestarts: 1 });
    assert.deepEqual(await spoiled.spoil(act, false), { done: act });
    assert.deepEqual(await spoiled.clean(2), { n: [2] });
    await control(spoiled).terminate();
  });
}

test("an async method that gives all objects a then fails, and the next call has an actor again", async () => {
  await using spoiled = await actor(Hostile, [], { maxRestarts: 1 });
  await assert.rejects(spoiled.spoil(THEN, true), (error) => {
    assert.ok(error instanceof ActorDiedError);
    assert.match(
      error.message,
      /^The actor Hostile died while it ran spoil: A method of Hostile let all objects inherit a function "then", [^\n]+\.$/,
    );
    return true;
  });
  assert.deepEqual(await spoiled.clean(2), { n: [2] });
});

test("an async function of a pool that gives all objects a then fails alone", async () => {
  await using pool = new Pool({ workers: 1 });
  const all = [pool.apply(clean, 1), pool.apply(spoil, THEN, true), pool.apply(clean, 3)];
  const [before, own, after] = await Promise.allSettled(all);
  assert.deepEqual(
    [before, after],
    [
      { status: "fulfilled", value: { n: [1] } },
      { status: "fulfilled", value: { n: [3] } },
    ],
  );
  assert.equal(own?.status, "rejected");
  assert.equal(own.reason.code, "pool.inherited-then");
});

test("a method that blocks its actor for ever ends by its limit, or by terminate", async () => {
  await using blocked = await actor(Hostile, [], { maxRestarts: 2 });
  const limited = control(blocked).with({ timeout: { soft: 20, hard: 60 } });
  const behind = [limited.spin(), blocked.clean(1)];
  await assert.rejects(behind[0] as Promise<never>, { code: "pool.timeout" });
  assert.deepEqual(await behind[1], { n: [1] });
  const ended = assert.rejects(blocked.spin(), { code: "pool.actor-terminated" });
  await control(blocked).terminate();
  await ended;
});
