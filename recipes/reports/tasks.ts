import { existsSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { PermanentError, task } from "pawl/tasks";
import { z } from "zod";
import { deliver } from "./mail.ts";
import { drawReport, readMonths, writeWhole } from "./report.ts";
import { settings } from "./settings.ts";

/** 60 s, 120 s, 240 s … Without jitter: a mail server that says "later" means minutes, and does not like to be asked at once. */
const backoff = { base: settings.retryBase, cap: "1h", jitter: "none" } as const;

export const sendMail = task(
  {
    name: "send-mail",
    queue: "light",
    input: z.object({ to: z.email(), subject: z.string(), text: z.string() }),
    retries: 5,
    backoff,
    softLimit: "60s",
  },
  async (mail, ctx) => {
    const answer = await deliver(mail, ctx.id, ctx.signal);
    ctx.log(`attempt ${ctx.attempt}: ${answer}`);
    return { answer };
  },
);

export interface Report {
  readonly file: string;
  readonly months: number;
  /** The task that sends the mail about it. */
  readonly mail: string;
}

export const buildReport = task(
  {
    name: "build-report",
    queue: "heavy",
    input: z.object({ account: z.string().regex(/^[a-z0-9-]{1,40}$/), email: z.email() }),
    retries: 3,
    backoff,
    softLimit: settings.softLimit,
    hardLimit: settings.hardLimit,
    module: import.meta,
  },
  async ({ account, email }, ctx): Promise<Report> => {
    const source = join(settings.data, `${account}.csv`);
    if (!existsSync(source)) throw new PermanentError(`There is no account ${account}.`);
    await ctx.progress(0, 100, "reading");
    const months = await readMonths(source, ctx.signal);
    await ctx.progress(50, 100, "drawing");
    const report = drawReport(months);
    await ctx.progress(90, 100, "writing");
    await mkdir(settings.out, { recursive: true });
    const file = join(settings.out, `${ctx.id}.csv`);
    await writeWhole(file, report);
    // From a second attempt this is the same mail, not another one.
    const mail = await ctx.enqueue(sendMail, {
      to: email,
      subject: `The report on ${account}`,
      text: `${months.size} months are ready: ${file}\n`,
    });
    await ctx.progress(100, 100, "done");
    return { file, months: months.size, mail: mail.id };
  },
);
