/** One night on this machine, to be looked at: a shop, two workers, one of which is killed half-way. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { dirname, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { disconnect } from "pawl/tasks";
import { shop } from "./shop.ts";

process.env.RETRY_BASE ??= "1s";
const server = shop(20_000, async (region) => void (await sleep(region === "EU" ? 3_000 : 0)));
await once(server.listen(0, "127.0.0.1"), "listening");
process.env.SHOP_URL = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;

const pawl = join(dirname(fileURLToPath(import.meta.resolve("pawl/package.json"))), "bin", "pawl.cjs");
const tasks = join(import.meta.dirname, "tasks.ts");
function work(): ChildProcess {
  const worker = spawn(process.execPath, [pawl, "worker", tasks, "--queues", "pipeline:4"], {
    stdio: "ignore",
  });
  console.log(`worker ${worker.pid} begins`);
  return worker;
}

const { night, nightFrom } = await import("./tasks.ts");
const handle = await nightFrom(night).enqueue({ day: "2026-01-30" });
const victim = work();
while ((await handle.status())?.name === night.name) await sleep(50);
await sleep(1_000);
victim.kill("SIGKILL");
console.log(`worker ${victim.pid} is killed`);
const worker = work();
console.log(await handle.result());
worker.kill("SIGTERM");
await once(worker, "exit");
await disconnect();
server.close();
