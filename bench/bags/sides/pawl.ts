import { bag } from "../../../dist/data/bag/index.js";
import { text } from "../../../dist/data/index.js";
import { type Job, readJob, report } from "../../frames/side.ts";

interface Event {
  readonly level: string;
  readonly message: string;
}

const job = readJob();
if (job === null) {
  console.log("pawl/data/bag");
} else {
  const { value, read, malformed } = await messagesOf(job).count({ memory: job.memory });
  report({ read, malformed, count: value });
}

function messagesOf({ case: asked, input }: Job) {
  if (asked === "expressions") {
    const schema = { level: text(), message: text() };
    return bag
      .jsonl(input, { schema, malformed: "drop" })
      .where((row) => row.level.eq("ERROR"))
      .pluck("message");
  }
  return bag
    .jsonl<Event>(input, { malformed: "drop" })
    .filter((event) => event.level === "ERROR")
    .pluck("message");
}
