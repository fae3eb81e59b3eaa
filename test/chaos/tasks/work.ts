/** The tasks of the run, and what producers make of them. */
import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import {
  type AttemptContext,
  chain,
  chord,
  type Flow,
  type GroupResults,
  group,
  PermanentError,
  task,
} from "../../../src/tasks/index.ts";
import type { Random } from "../random.ts";
import { ownHistory } from "./history.ts";

/** What every handler returns, so that one can tell whose result was stored. */
interface Token {
  readonly token: string;
}

interface Work {
  readonly ms: number;
  /** It stops when its signal says so; otherwise it goes on, whatever happens. */
  readonly listens: boolean;
  /** Attempts that fail, or kill their child, before one succeeds. */
  readonly times?: number;
}

/** Runs a handler between two lines of the history. */
async function told<T>(ctx: AttemptContext, handler: () => Promise<T>): Promise<T & Token> {
  const { id, attempt: fence } = ctx;
  ownHistory().write({ what: "began", id, fence });
  const result = await handler();
  const token = randomUUID();
  ownHistory().write({ what: "ended", id, fence, token });
  return { ...result, token };
}

async function work({ ms, listens }: Work, ctx: AttemptContext): Promise<Record<string, never>> {
  await sleep(ms, undefined, listens ? { signal: ctx.signal } : {});
  return {};
}

const common = { backoff: { base: "100ms", cap: "500ms" }, retries: 1_000 } as const;

const note = task({ ...common, name: "note", queue: "light" }, (input: Work, ctx) =>
  told(ctx, () => work(input, ctx)),
);

const slow = task({ ...common, name: "slow", queue: "heavy" }, (input: Work, ctx) =>
  told(ctx, async () => {
    for (let step = 0; step < 4; step++) {
      await work({ ...input, ms: input.ms / 4 }, ctx);
      if (step % 2 === 1) await ctx.progress(step, 4).catch(() => {});
    }
    return {};
  }),
);

const flaky = task({ ...common, name: "flaky", queue: "light" }, (input: Work, ctx) =>
  told(ctx, async () => {
    await work(input, ctx);
    if (ctx.failures < (input.times ?? 0)) throw new Error("not yet");
    return {};
  }),
);

const permanent = task({ ...common, name: "permanent", queue: "light" }, (input: Work, ctx) =>
  told(ctx, async (): Promise<Record<string, never>> => {
    await work(input, ctx);
    throw new PermanentError("never");
  }),
);

const isolated = { ...common, queue: "child", isolate: "process", module: import.meta } as const;

const child = task({ ...isolated, name: "child" }, (input: Work, ctx) => told(ctx, () => work(input, ctx)));

const crash = task({ ...isolated, name: "crash" }, (input: Work, ctx) =>
  told(ctx, async () => {
    await work(input, ctx);
    if (ctx.attempt <= (input.times ?? 0)) await die();
    return {};
  }),
);

const poison = task({ ...isolated, name: "poison" }, (_: Work, ctx) =>
  told(ctx, async () => {
    await die();
    return {};
  }),
);

async function die(): Promise<void> {
  process.kill(process.pid, "SIGKILL");
  await sleep(60_000);
}

const rated = { ...common, queue: "rated" } as const;

const brisk = task({ ...rated, name: "brisk", rateLimit: "20/s" }, (input: Work, ctx) =>
  told(ctx, () => work(input, ctx)),
);

const rare = task({ ...rated, name: "rare", rateLimit: "120/m" }, (input: Work, ctx) =>
  told(ctx, () => work(input, ctx)),
);

const solo = task(
  { ...common, name: "solo", queue: "heavy", unique: ({ key }: Work & { key: string }) => key },
  (input: Work & { key: string }, ctx) => told(ctx, () => work(input, ctx)),
);

const parent = task({ ...common, name: "parent", queue: "light" }, (input: Work, ctx) =>
  told(ctx, async () => {
    const { id } = await ctx.enqueue(note, { ms: 1, listens: true });
    await work(input, ctx);
    return { child: id };
  }),
);

/** What goes along a chain. */
interface Step {
  readonly n: number;
}

const link = task({ ...common, name: "link", queue: "light" }, ({ n }: Step, ctx) =>
  told(ctx, async () => {
    await sleep((n * 7) % 40);
    return { n: n + 1 };
  }),
);

const gather = task({ ...common, name: "gather", queue: "light" }, (children: GroupResults<Step>, ctx) =>
  told(ctx, async () => {
    let n = 0;
    let count = 0;
    for await (const child of children) {
      n += child.n;
      count++;
    }
    return { n, count };
  }),
);

const pulse = task({ ...common, name: "pulse", queue: "light" }, (_: unknown, ctx) =>
  told(ctx, async () => ({ at: ctx.scheduledFor?.getTime() ?? null })),
);

export const tasks = {
  note,
  slow,
  flaky,
  permanent,
  child,
  crash,
  poison,
  brisk,
  rare,
  solo,
  parent,
  link,
  gather,
  pulse,
};

export const QUEUES = ["light", "heavy", "child", "rated"];

/** How many starts of a task's bucket are allowed in how many milliseconds. */
export const RATES: Readonly<Record<string, { readonly n: number; readonly ms: number }>> = {
  brisk: { n: 20, ms: 1_000 },
  rare: { n: 120, ms: 60_000 },
};

/** Schedules that fire every second while a run lasts. The first one misses no time. */
export const SCHEDULES = { every: "pulse", last: "tock" } as const;

const failing = permanent.with({ ms: 20, listens: true });

/** A flow whose every result is known beforehand. */
export function flowOf(kind: "chain" | "chord" | "nested" | "broken", random: Random): Flow<Step, unknown> {
  const parts = (n: number) => Array.from({ length: n }, () => link);
  switch (kind) {
    case "chain":
      return chain(link, link, link);
    case "chord":
      return chord(parts(random.int(12, 48)), gather);
    case "nested":
      return chain(
        link,
        group([chain(link, link), chord(parts(random.int(2, 8)), gather), link]),
        gather as never,
        link,
      ) as never;
    case "broken": {
      const children = [...parts(random.int(4, 12)), failing, ...parts(random.int(4, 12))];
      const policy = random.chance(0.5) ? "failFast" : "wait";
      return chord(children as never, gather as never, { policy }) as never;
    }
  }
}
