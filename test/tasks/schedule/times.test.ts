import assert from "node:assert/strict";
import { test } from "node:test";
import { firing, nextTime, type TimesSpec, timesSpec } from "../../../src/tasks/schedule/times.ts";

const berlin = (cron: string): TimesSpec =>
  timesSpec("t", { cron, timezone: "Europe/Berlin", catchUp: "all" });
const at = (text: string) => Date.parse(text);
const iso = (instants: readonly number[]) => instants.map((instant) => new Date(instant).toISOString());

/** All times in a span, one after the other. */
function timesIn(spec: TimesSpec, from: string, to: string): string[] {
  const found: number[] = [];
  for (let next = nextTime(spec, at(from)); next !== null && next <= at(to); next = nextTime(spec, next)) {
    found.push(next);
  }
  return iso(found);
}

test("a time is local: it moves with the clock of its zone", () => {
  assert.deepEqual(timesIn(berlin("30 8 * * *"), "2026-03-28T00:00Z", "2026-03-31T00:00Z"), [
    "2026-03-28T07:30:00.000Z",
    "2026-03-29T06:30:00.000Z",
    "2026-03-30T06:30:00.000Z",
  ]);
});

test("a time that the clock skips in spring fires once all the same", () => {
  // On 29 March 2026 there is no 02:30 in Berlin.
  const times = timesIn(berlin("30 2 * * *"), "2026-03-28T12:00Z", "2026-03-30T12:00Z");
  assert.equal(times.length, 2);
  assert.ok(["2026-03-29T01:00:00.000Z", "2026-03-29T01:30:00.000Z"].includes(times[0] ?? ""), times[0]);
  assert.equal(times[1], "2026-03-30T00:30:00.000Z");
});

test("times that the clock skips in spring fire once when it has, whatever else the pattern holds", () => {
  // On 29 March 2026 the clock of Berlin goes from 02:00 to 03:00, which is 01:00Z.
  for (const cron of ["0,30 2 * * *", "*/10 2 * * *", "15 2,5 * * *", "10-20 2 * * *", "0 5 2 * * *"]) {
    const times = timesIn(berlin(cron), "2026-03-28T12:00Z", "2026-03-29T02:00Z");
    assert.deepEqual(times, ["2026-03-29T01:00:00.000Z"], cron);
  }
  // What fires at the first moment after the change does so once.
  assert.deepEqual(timesIn(berlin("0 2,3 * * *"), "2026-03-28T12:00Z", "2026-03-29T02:00Z"), [
    "2026-03-29T01:00:00.000Z",
  ]);
  // What fires each hour lacks nothing.
  assert.deepEqual(timesIn(berlin("5 * * * *"), "2026-03-29T00:00Z", "2026-03-29T01:10Z"), [
    "2026-03-29T00:05:00.000Z",
    "2026-03-29T01:05:00.000Z",
  ]);
  const cairo = timesSpec("t", { cron: "0,15 0 * * *", timezone: "Africa/Cairo", catchUp: "all" });
  assert.deepEqual(timesIn(cairo, "2026-04-23T12:00Z", "2026-04-24T12:00Z"), ["2026-04-23T22:00:00.000Z"]);
});

test("times that cannot be meant are refused", () => {
  const refused = (times: Parameters<typeof timesSpec>[1], code: string) =>
    assert.throws(() => timesSpec("t", times), { code });
  refused({ cron: "0 0 31 2 *" }, "schedule.never");
  // An unset variable is not the machine's own zone.
  refused({ cron: "0 0 * * *", timezone: "" }, "schedule.timezone");
});

test("a time that comes twice in autumn fires once", () => {
  // On 25 October 2026 there are two times 02:30 in Berlin, 00:30Z and 01:30Z.
  const times = timesIn(berlin("30 2 * * *"), "2026-10-24T12:00Z", "2026-10-26T12:00Z");
  assert.deepEqual(times, ["2026-10-25T00:30:00.000Z", "2026-10-26T01:30:00.000Z"]);
});

test("no time comes twice or backwards, whatever the zone does", () => {
  for (const timezone of [
    "Europe/Berlin",
    "America/New_York",
    "Australia/Lord_Howe",
    "Asia/Kathmandu",
    "UTC",
  ]) {
    for (const cron of ["*/15 * * * *", "0 * * * *", "30 1,2,3 * * *"]) {
      const spec = timesSpec("t", { cron, timezone });
      let last = at("2026-01-01T00:00Z");
      for (let n = 0; n < 3_000; n++) {
        const next: number | null = nextTime(spec, last);
        assert.ok(next !== null && next > last, `${cron} ${timezone} after ${new Date(last).toISOString()}`);
        last = next;
      }
    }
  }
});

test("missed times fire all, once, or not at all", () => {
  const due = at("2026-01-01T00:00Z");
  const now = at("2026-01-01T03:10Z");
  const hourly = (catchUp: "all" | "last" | "none") =>
    firing(timesSpec("t", { cron: "0 * * * *", catchUp }), due, now);
  const next = at("2026-01-01T04:00Z");
  assert.deepEqual(
    iso(hourly("all").times),
    [0, 1, 2, 3].map((hour) => `2026-01-01T0${hour}:00:00.000Z`),
  );
  assert.deepEqual(iso(hourly("last").times), ["2026-01-01T03:00:00.000Z"]);
  assert.deepEqual(hourly("none").times, []);
  for (const catchUp of ["all", "last", "none"] as const) assert.equal(hourly(catchUp).next, next);
  const prompt = firing(timesSpec("t", { cron: "0 * * * *", catchUp: "none" }), due, due + 900);
  assert.deepEqual(iso(prompt.times), ["2026-01-01T00:00:00.000Z"]);
});

test("an interval keeps its beat, and years of it are caught up with at once", () => {
  const due = at("2020-01-01T00:00Z");
  const now = at("2026-01-01T00:00:00.300Z");
  const second = timesSpec("t", { every: "1s" });
  assert.deepEqual(firing(second, due, now), {
    times: [at("2026-01-01T00:00Z")],
    next: at("2026-01-01T00:00:01Z"),
  });
  const all = firing(timesSpec("t", { every: "1s", catchUp: "all" }), due, now);
  assert.equal(all.times.length, 500);
  assert.equal(all.next, due + 500_000);
  const minutes = timesSpec("t", { cron: "* * * * *", catchUp: "last" });
  assert.deepEqual(firing(minutes, due, now).times, [at("2026-01-01T00:00Z")]);
  const yearly = timesSpec("t", { cron: "0 0 1 1 *", catchUp: "last" });
  assert.deepEqual(firing(yearly, due, at("2026-06-01T00:00Z")), {
    times: [at("2026-01-01T00:00Z")],
    next: at("2027-01-01T00:00Z"),
  });
});
