import assert from "node:assert/strict";
import { test } from "node:test";
import { check } from "./check.ts";
import type { Entry } from "./history.ts";
import { storyOf } from "./story.ts";
import { type TrueHistory, trueHistory } from "./true-history.ts";

/** What the checker finds in the true history once it was falsified. */
function found(falsify: (history: TrueHistory) => void): string[] {
  const history = trueHistory();
  falsify(history);
  return [...new Set(check(history.facts()).map(({ rule, task }) => `${rule}: ${task}`))];
}

/** Changes what a process wrote of a task. */
function rewrite(
  history: TrueHistory,
  which: (entry: Entry) => boolean,
  how: (entry: Entry) => Entry[],
): void {
  const entries = history.entries.flatMap((entry) => (which(entry) ? how(entry) : [entry]));
  history.entries.splice(0, history.entries.length, ...entries);
}

test("a true history is believed", () => {
  assert.deepEqual(
    found(() => {}),
    [],
  );
});

const falsified: Readonly<Record<string, [(history: TrueHistory) => void, string[]]>> = {
  "a worker that ended by itself": [
    (history) => history.deaths.push("worker 1 (7) ended with exit code 1"),
    ["processes: null"],
  ],
  "an acknowledged task that is not there": [
    (history) => {
      history.enqueue("gone");
      history.tasks.delete("gone");
    },
    ["kept: gone"],
  ],
  "a task that a schedule fired and that is not there": [
    (history) => history.tell("w1", { what: "ticked", schedule: "tock", ids: ["tock@x"] }),
    ["kept: tock@x"],
  ],
  "a task that never ends": [(history) => history.enqueue("idle"), ["kept: idle"]],
  "a success of what cannot succeed": [
    (history) => {
      history.enqueue("odd", "permanent");
      history.work("odd", "w1");
    },
    ["endings: odd"],
  ],
  "a dead letter without a reason": [
    (history) => {
      history.enqueue("dead");
      history.change("dead", { state: "dead", error: "so what" });
    },
    ["endings: dead"],
  ],
  "a task that was cancelled without a request": [
    (history) => {
      history.enqueue("off");
      history.change("off", { state: "cancelled" });
    },
    ["endings: off"],
  ],
  "a success without a run": [
    (history) => {
      history.enqueue("lazy");
      history.settle("lazy", history.claim("lazy", "w1"), "w1");
    },
    ["effects: lazy"],
  ],
  "a result of another run": [
    (history) => history.change("twice", { result: { token: "twice 1" } }),
    ["effects: twice"],
  ],
  "a claim that was begun twice": [
    (history) => history.tell("w2", { what: "began", id: "plain", fence: 1 }),
    ["effects: plain"],
  ],
  "a fence that two were given": [
    (history) => {
      rewrite(
        history,
        (entry) => entry.what === "claimed" && entry.claims[0]?.[0] === "plain",
        (entry) => [entry, { ...entry, by: "w2" }],
      );
    },
    ["fences: plain"],
  ],
  "a late settlement that counted": [
    (history) => {
      rewrite(
        history,
        (entry) => entry.what === "settled" && entry.lost.includes("twice"),
        (entry) => [{ ...entry, lost: [] } as unknown as Entry],
      );
    },
    ["fences: twice", "settlements: twice"],
  ],
  "late progress that counted": [
    (history) => {
      rewrite(
        history,
        (entry) => entry.what === "ended" && entry.token === "twice 1",
        (entry) => [entry, { ...entry, what: "progressed", since: entry.t, id: "twice", fence: 1 }],
      );
    },
    ["fences: twice"],
  ],
  "a claim of what has ended": [
    (history) => {
      history.wait(5);
      history.crash("plain");
      history.work("plain", "w2");
    },
    ["fences: plain", "settlements: plain"],
  ],
  "two settlements": [
    (history) => {
      const { attempts } = history;
      attempts.set("plain", [...(attempts.get("plain") ?? []), ...(attempts.get("plain") ?? [])]);
    },
    ["settlements: plain"],
  ],
  "an attempt that is missing": [
    (history) => history.attempts.set("twice", (history.attempts.get("twice") ?? []).slice(1)),
    ["settlements: twice"],
  ],
  "an attempt that ended otherwise than was told": [
    (history) => {
      const [attempt] = history.attempts.get("plain") ?? [];
      assert.ok(attempt);
      history.attempts.set("plain", [{ ...attempt, result: "retry" }]);
    },
    ["settlements: plain"],
  ],
  "an end without a request": [
    (history) => {
      rewrite(
        history,
        (entry) => entry.what === "settling" && entry.settlements[0]?.id === "plain",
        () => [],
      );
    },
    ["settlements: plain"],
  ],
  "a settlement that is said to be lost, and is stored": [
    (history) => {
      const call = history.entries.find(
        (entry) => entry.what === "settling" && entry.settlements[0]?.id === "plain",
      );
      rewrite(
        history,
        (entry) => entry.what === "settled" && call?.what === "settling" && entry.call === call.call,
        (entry) => [{ ...entry, lost: ["plain"] } as unknown as Entry],
      );
    },
    ["settlements: plain"],
  ],
  "a callback that begins before its children have ended": [
    (history) => {
      rewrite(
        history,
        (entry) => entry.what === "claimed" && entry.claims[0]?.[0] === "callback",
        (entry) => [{ ...entry, t: 0 }],
      );
    },
    ["groups: callback"],
  ],
  "a callback that was given too few results": [
    (history) => history.change("callback", { result: { token: "callback 1", count: 1 } }),
    ["groups: callback"],
  ],
  "a child that was counted twice": [
    (history) => {
      const group = history.groups.get("callback");
      assert.ok(group);
      history.groups.set("callback", { ...group, succeeded: 3 });
    },
    ["groups: callback"],
  ],
  "a callback that runs though its children failed": [
    (history) => {
      const group = history.groups.get("callback");
      assert.ok(group);
      history.groups.set("callback", { ...group, state: "failed" });
    },
    ["groups: callback"],
  ],
  "a time that was fired by two": [
    (history) =>
      history.tell("w2", { what: "ticked", schedule: "pulse", ids: ["pulse@2026-01-31T12:00:01.000Z"] }),
    ["ticks: pulse@2026-01-31T12:00:01.000Z"],
  ],
  "a time that was left out": [
    (history) => {
      const id = "pulse@2026-01-31T12:00:04.000Z";
      history.store(id, "pulse");
      history.work(id, "w1", { at: Date.parse("2026-01-31T12:00:04.000Z") });
    },
    ["ticks: pulse@2026-01-31T12:00:04.000Z"],
  ],
  "a task that was told another time": [
    (history) => {
      history.change("pulse@2026-01-31T12:00:01.000Z", {
        result: { token: "pulse@2026-01-31T12:00:01.000Z 1", at: 7 },
      });
    },
    ["ticks: pulse@2026-01-31T12:00:01.000Z"],
  ],
  "one start too many within a second": [
    (history) => {
      history.wait(1_000);
      for (let n = 0; n < 21; n++) {
        history.enqueue(`more ${n}`, "brisk");
        history.work(`more ${n}`, "w1");
      }
    },
    ["rates: more 0"],
  ],
  "a key that was stored twice": [
    (history) => {
      rewrite(
        history,
        (entry) => entry.what === "asked" && entry.id === "plain",
        (entry) => [entry, { ...entry, by: "another producer" }],
      );
    },
    ["keys: plain"],
  ],
  "a unique task beside another one": [
    (history) => {
      history.enqueue("first", "solo", { unique: "solo:u2" });
      history.wait(1);
      history.enqueue("second", "solo", { unique: "solo:u2" });
      history.work("first", "w1");
      history.work("second", "w1");
    },
    ["keys: first"],
  ],
  "a claim of what was cancelled": [
    (history) => {
      history.wait(1);
      history.change("called off", { state: "waiting" });
      history.work("called off", "w1");
    },
    ["cancels: called off"],
  ],
};

for (const [what, [falsify, findings]] of Object.entries(falsified)) {
  test(`${what} is found`, () => {
    const all = found(falsify);
    for (const finding of findings) assert.ok(all.includes(finding), `${finding} is among ${all.join(", ")}`);
    const about = new Set(all.map((each) => each.slice(each.indexOf(": ") + 2)));
    assert.ok(about.size <= 2, `${all.join(", ")} is about the falsified task`);
  });
}

test("the story of a violation is that of its task, and of what was done to those who had to do with it", () => {
  const history = trueHistory();
  history.entries.unshift({
    what: "fault",
    t: 0,
    by: "run",
    kind: "stop",
    target: "w1",
    note: "for 3000 ms",
  });
  history.change("twice", { result: { token: "twice 1" } });
  const [violation] = check(history.facts());
  assert.ok(violation);
  const story = storyOf(violation, history.facts());
  assert.match(
    story,
    /^effects: task twice: it succeeded with fence 2, and its result is that of another run\n/,
  );
  assert.match(story, /w1: claimed it with fence 1/);
  assert.match(story, /\*\*\* stop at w1 for 3000 ms/);
  assert.match(story, /w1: was told that it is lost/);
  assert.doesNotMatch(story, /plain|brisk/);
});
