import assert from "node:assert/strict";
import { test } from "node:test";
import { type Duration, durationText, milliseconds, parseDuration } from "../src/durations.ts";
import { bytes, type Size, sizeText } from "../src/sizes.ts";

test("a duration is milliseconds or a number with its unit", () => {
  const cases: readonly (readonly [Duration, number])[] = [
    [1500, 1500],
    ["250ms", 250],
    ["5s", 5_000],
    ["2m", 120_000],
    ["2min", 120_000],
    ["1h", 3_600_000],
    ["7d", 604_800_000],
    ["1.5s", 1_500],
  ];
  for (const [duration, ms] of cases) assert.equal(milliseconds(duration, "The timeout"), ms);
});

test("what is not a duration is refused in one sentence", () => {
  for (const wrong of ["", "5", "5 minutes", "-1s", -1, Number.NaN, null, undefined, {}, 5n]) {
    assert.throws(() => milliseconds(wrong as Duration, "The timeout"), {
      code: "argument.duration",
      message: /^The timeout must be milliseconds or a duration such as "30s" or "10m", not .+\.$/,
    });
  }
  for (const wrong of ["5", "", "soon", 5])
    assert.throws(() => parseDuration(wrong as string, "REPORT_TIMEOUT"), { code: "argument.duration" });
});

test("a size is bytes or a number with its unit", () => {
  const cases: readonly (readonly [Size, number])[] = [
    [1500, 1500],
    ["100B", 100],
    ["64KB", 65_536],
    ["256MB", 268_435_456],
    ["1.5GiB", 1_610_612_736],
  ];
  for (const [size, count] of cases) assert.equal(bytes(size, "The memory"), count);
  for (const wrong of ["", "5", "5 miles", "-1MB", -1, Number.NaN, null, undefined, {}])
    assert.throws(() => bytes(wrong as Size, "The memory"), {
      code: "argument.size",
      message: /^The memory must be bytes or a size such as "256MB" or "1GiB", not .+\.$/,
    });
});

test("durations and sizes are said in the unit that suits them", () => {
  assert.deepEqual([250, 1_500, 30_000, 90_000, 600_000, 7_200_000].map(durationText), [
    "250 ms",
    "1.5 s",
    "30 s",
    "90 s",
    "10 min",
    "2 h",
  ]);
  assert.deepEqual([0, 812, 1_536, 24 * 2 ** 20, 1.55 * 2 ** 30, 1_234 * 2 ** 40].map(sizeText), [
    "0 B",
    "812 B",
    "1.5 KB",
    "24 MB",
    "1.55 GB",
    "1,234 TB",
  ]);
});
