/** All of it on this machine, to be looked at: a mail server, a worker, and one report for each of three accounts. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { disconnect, handleOf } from "pawl/tasks";
import { Mailbox } from "./mailbox.ts";
import { makeOrders } from "./samples.ts";

process.env.RETRY_BASE ??= "2s";

// A server that wants to be asked twice, as many do, and one address that it does not know.
const mailbox = new Mailbox((to, attempt) => {
  if (to === "gone@example.com") return { code: 550, message: "no such user" };
  return attempt === 1 ? { code: 451, message: "greylisted, try again later" } : null;
});
process.env.SMTP_URL = await mailbox.open();
await makeOrders("orders", "north", 400_000);
await makeOrders("orders", "south", 200_000);

// As in production: a process of its own. The command is `pawl worker tasks.ts --queues heavy:4,light:16`.
const pawl = join(dirname(fileURLToPath(import.meta.resolve("pawl/package.json"))), "bin", "pawl.cjs");
const tasks = join(import.meta.dirname, "tasks.ts");
const worker = spawn(process.execPath, [pawl, "worker", tasks, "--queues", "heavy:4,light:16"], {
  stdio: ["ignore", "inherit", "inherit"],
});

const { buildReport } = await import("./tasks.ts");
const said = (error: Error) => error.message;
const order = async (account: string, email: string) => {
  const report = await buildReport.enqueue({ account, email });
  for await (const { current, note } of report.progress()) console.log(account, `${current} %`, note);
  const built = await report.result().catch(said);
  console.log(account, built);
  if (typeof built === "string") return;
  const mail = handleOf<{ answer: string }>(built.mail);
  const sent = await mail.result().catch(said);
  console.log(`mail to ${email} after ${(await mail.status())?.attempt} attempts:`, sent);
};
await Promise.all([
  order("north", "ada@example.com"),
  order("south", "gone@example.com"),
  order("west", "ada@example.com"),
]);

await disconnect();
worker.kill("SIGTERM");
await once(worker, "exit");
await mailbox.close();
