import { randomInt } from "node:crypto";
import { parseArgs } from "node:util";
import { disturbFrames } from "../data/chaos/season.ts";
import { Season } from "./season.ts";
import type { Break } from "./tasks/broken.ts";
import { disturbTasks } from "./tasks/main.ts";

const { values } = parseArgs({
  options: {
    seconds: { type: "string" },
    seed: { type: "string" },
    kills: { type: "string" },
    only: { type: "string" },
    // load-point, load-freeze, replay-point or replay-freeze: one scenario, struck at each of its points in turn.
    sweep: { type: "string" },
    point: { type: "string" },
    rows: { type: "string", default: "60000" },
    // load, backfill, or both; or tasks, which has --store, --faults and --break, and of the others --seed, --seconds and --only;
    // or frames, which has --faults, --seed, --seconds, and --only with the name of a fault.
    work: { type: "string", default: "both" },
    store: { type: "string", default: "sqlite" },
    faults: { type: "string" },
    break: { type: "string" },
  },
});
const seed = values.seed ?? String(randomInt(1_000_000_000));
const only = values.only === undefined || values.work === "frames" ? null : Number(values.only);
const seconds =
  values.seconds === undefined
    ? values.kills || values.work === "tasks" || values.faults
      ? Number.POSITIVE_INFINITY
      : 60
    : Number(values.seconds);
const kills = values.kills === undefined ? Number.POSITIVE_INFINITY : Number(values.kills);
const work = values.work === "load" || values.work === "backfill" ? values.work : "both";
const options = { largest: Number(values.rows), killsOnly: false, aim: null, work } as const;

console.log(`seed ${seed}`);
if (values.work === "tasks") {
  const driver = values.store === "postgres" ? "postgres" : "sqlite";
  const broken = (values.break ?? null) as Break | null;
  const faults =
    values.faults === undefined ? (values.seconds ? Number.POSITIVE_INFINITY : 1000) : Number(values.faults);
  const sound = await disturbTasks({ seed, driver, faults, seconds, only, broken });
  process.exit(sound ? 0 : 1);
}
if (values.work === "frames") {
  const faults = values.faults === undefined ? Number.POSITIVE_INFINITY : Number(values.faults);
  const sound = await disturbFrames({ seed, seconds, faults, only: values.only ?? null });
  process.exit(sound ? 0 : 1);
}
const season = await Season.open(seed, options, console.log);
const print = (): void => console.log(season.report().join("\n"));
for (const signal of ["SIGINT", "SIGTERM"] as const) {
  process.once(signal, () => {
    print();
    // What was under way fails for want of a server; that says nothing.
    process.on("unhandledRejection", () => {});
    process.on("uncaughtException", () => {});
    void season.close().finally(() => process.exit(130));
  });
}
const until = performance.now() + seconds * 1000;
try {
  if (values.sweep !== undefined) {
    const [during, kind] = values.sweep.split("-") as ["load" | "replay", "point" | "freeze"];
    if (values.point === undefined) await season.sweep(only ?? 1, during, kind);
    else await season.play(only ?? 1, { during, kind, point: Number(values.point) });
  } else if (only !== null) await season.play(only);
  else {
    for (let number = 1; performance.now() < until && season.kills < kills; number++)
      await season.play(number);
  }
} finally {
  await season.close();
}
print();
process.exitCode = season.failed > 0 ? 1 : 0;
