import { readFileSync } from "node:fs";

/**
 * The two clocks of one machine. Instants that people read come from the wall clock, which may jump when it is set;
 * what must not jump with it, such as the end of a lease, is kept on the monotonic one.
 */
export interface Clock {
  /** Milliseconds since the Unix epoch. */
  wall(): number;
  /** Milliseconds since some moment before now, the same moment for every process since the machine started. */
  monotonic(): number;
  /** Names the start of the machine that `monotonic` counts from. */
  readonly boot: string;
}

function readBoot(): string {
  try {
    // A random number, of which a part tells the boots of one machine apart: it is written into every task that is claimed.
    return readFileSync("/proc/sys/kernel/random/boot_id", "utf8").replaceAll("-", "").slice(0, 12);
  } catch {
    // Elsewhere nothing cheap names a boot for certain. A lease that outlives a reboot is then recognized by lying
    // further ahead than it is long, because the monotonic clock has started again.
    return "unknown";
  }
}

/** The clocks of this machine. On Linux `process.hrtime` is CLOCK_MONOTONIC, which all processes share. */
export const machineClock: Clock = {
  wall: () => Date.now(),
  monotonic: () => Number(process.hrtime.bigint() / 1_000_000n),
  boot: readBoot(),
};
