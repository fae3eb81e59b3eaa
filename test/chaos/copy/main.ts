import { randomInt } from "node:crypto";
import { parseArgs } from "node:util";
import { Servers } from "../../connect/objects/scene.ts";
import { playCopy } from "./play.ts";

const { values } = parseArgs({
  options: {
    seconds: { type: "string", default: "60" },
    seed: { type: "string" },
    only: { type: "string" },
    objects: { type: "string", default: "600" },
  },
});
const seed = values.seed ?? String(randomInt(1_000_000_000));
const options = { largest: Number(values.objects) };
console.log(`seed ${seed}`);
// The long runs are for real servers.
process.env.PAWL_TEST_S3 ??= "versitygw";
const servers = await Servers.start();
for (const signal of ["SIGINT", "SIGTERM"] as const)
  process.once(signal, () => void servers.stop().finally(() => process.exit(130)));
const until = performance.now() + Number(values.seconds) * 1000;
let [scenarios, kills, failed] = [0, 0, 0];
try {
  const first = Number(values.only ?? 1);
  for (let number = first; performance.now() < until || number === first; number++) {
    const played = await playCopy(servers, seed, number, options);
    scenarios++;
    kills += played.kills;
    console.log(played.line);
    if (played.failure !== null) {
      failed++;
      console.log(`  FAILED: ${played.failure}\n  again: --seed ${seed} --only ${number}`);
    }
    if (values.only !== undefined) break;
  }
} finally {
  await servers.stop();
}
console.log(`${scenarios} copies, ${kills} kills and stops, ${failed} failed`);
process.exitCode = failed > 0 ? 1 : 0;
