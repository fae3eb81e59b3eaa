import { bag } from "pawl/data/bag";

interface LogEvent {
  readonly level: string;
  readonly message: string;
}

const [folder = "logs", quarantine = "malformed.jsonl"] = process.argv.slice(2);

const messages = bag
  .jsonl<LogEvent>(`${folder}/*.jsonl`, { malformed: { quarantine } })
  .filter((event) => event.level === "ERROR")
  .pluck("message");

const { value, read, kept, dropped, malformed } = await messages.frequencies().topk(10, 1);
for (const [message, times] of value) console.log(`${String(times).padStart(8)}  ${message}`);
console.log(
  `${read} lines: ${kept} errors, ${dropped} others, ${malformed} malformed${malformed > 0 ? `, kept in ${quarantine}` : ""}`,
);
