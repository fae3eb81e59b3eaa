/** Makes a folder of logs: files of JSON lines, some of which are cut off, as a crash leaves them. */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";

const MESSAGES = ["disk full", "no route to host", "timed out"];

const [folder = "logs", files = "4", lines = "5000"] = process.argv.slice(2);
mkdirSync(folder, { recursive: true });
let n = 0;
for (let file = 0; file < Number(files); file++) {
  let text = "";
  for (let line = 0; line < Number(lines); line++, n++) {
    const level = n % 4 === 0 ? "ERROR" : "INFO";
    const message = MESSAGES[n % 6 === 0 ? 0 : n % 5 === 0 ? 1 : 2];
    const event = JSON.stringify({ at: n, level, message });
    text += n % 1000 === 999 ? `${event.slice(0, 20)}\n` : `${event}\n`;
  }
  writeFileSync(join(folder, `app-${file}.jsonl`), text);
}
