import type { Break } from "./broken.ts";
import { Campaign } from "./campaign.ts";
import type { Driver } from "./plan.ts";

export interface TaskChaosOptions {
  readonly seed: string;
  readonly driver: Driver;
  /** So many strike in all, in no more than so many seconds. */
  readonly faults: number;
  readonly seconds: number;
  /** Only this round. */
  readonly only: number | null;
  readonly broken: Break | null;
}

/** Faults of one round: after some dozens a history is as long as a person can read. */
const A_ROUND = 50;

/** `npm run test:chaos -- --work tasks`. True when no promise was broken. */
export async function disturbTasks({
  faults,
  seconds,
  only,
  ...options
}: TaskChaosOptions): Promise<boolean> {
  const processes = { faults: A_ROUND, workers: 4, producers: 2, kind: null };
  await using campaign = await Campaign.open({ ...options, ...processes }, console.log);
  const print = (): void => console.log(campaign.report().join("\n"));
  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    process.once(signal, () => {
      print();
      process.exit(130);
    });
  }
  if (only !== null) await campaign.play(only);
  else {
    const until = performance.now() + seconds * 1000;
    for (let number = 1; campaign.faults < faults && performance.now() < until; number++)
      await campaign.play(number);
  }
  print();
  return campaign.failed === 0;
}
