import { type Clock, machineClock } from "../../src/store/clock.ts";

/** Clocks that a test moves. They start at the machine's, so that real processes can share the store. */
export class TestClock implements Clock {
  boot: string = machineClock.boot;
  #wall = machineClock.wall();
  #monotonic = machineClock.monotonic();

  wall(): number {
    return this.#wall;
  }

  monotonic(): number {
    return this.#monotonic;
  }

  /** Time passes. */
  advance(ms: number): void {
    this.#wall += ms;
    this.#monotonic += ms;
  }

  /** The clock on the wall is set. */
  setWall(byMs: number): void {
    this.#wall += byMs;
  }

  /** The machine starts again: its monotonic clock begins again. */
  reboot(boot = `boot after ${this.boot}`): void {
    this.boot = boot;
    this.#monotonic = 1_000;
  }
}
