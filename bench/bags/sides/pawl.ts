import { bag } from "../../../dist/data/bag/index.js";
import { readJob, report } from "../../frames/side.ts";

interface Event {
  readonly level: string;
  readonly message: string;
}

const job = readJob();
if (job === null) {
  console.log("pawl/data/bag");
} else {
  const { memory } = job;
  const messages = bag
    .jsonl<Event>(job.input, { malformed: "drop" })
    .filter((event) => event.level === "ERROR")
    .pluck("message");
  const { value, read, malformed } = await messages.count({ memory });
  report({ read, malformed, count: value });
}
