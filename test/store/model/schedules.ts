import type { Json, ScheduleRecord } from "../../../src/store/index.ts";
import type { TestClock } from "../test-clock.ts";

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

export interface NewSchedule {
  readonly id: string;
  readonly spec: Json;
  readonly task: Json;
  readonly next: number | null;
}

/** Schedules. Their versions are left to the store. */
export class ModelSchedules {
  readonly #clock: TestClock;
  #schedules: Mutable<ScheduleRecord>[] = [];

  constructor(clock: TestClock) {
    this.#clock = clock;
  }

  put({ id, spec, task, next }: NewSchedule): ScheduleRecord {
    let schedule = this.#find(id);
    if (schedule === undefined) {
      schedule = { id, spec, task, paused: false, next, lastFired: null, version: 0 };
      this.#schedules.push(schedule);
    }
    if (schedule.spec !== spec) schedule.next = next;
    Object.assign(schedule, { spec, task });
    return { ...schedule };
  }

  pause(id: string, paused: boolean, next?: number | null): boolean {
    const schedule = this.#find(id);
    if (schedule === undefined) return false;
    Object.assign(schedule, { paused, ...(next === undefined ? {} : { next }) });
    return true;
  }

  remove(id: string): boolean {
    const before = this.#schedules.length;
    this.#schedules = this.#schedules.filter((one) => one.id !== id);
    return this.#schedules.length < before;
  }

  all(): ScheduleRecord[] {
    return this.#schedules.toSorted((a, b) => (a.id < b.id ? -1 : 1));
  }

  isDue(id: string): boolean {
    const schedule = this.#find(id);
    if (schedule === undefined || schedule.paused || schedule.next === null) return false;
    return schedule.next <= this.#clock.wall();
  }

  fire(id: string, next: number | null): void {
    const schedule = this.#find(id);
    if (schedule !== undefined) Object.assign(schedule, { next, lastFired: this.#clock.wall() });
  }

  #find(id: string): Mutable<ScheduleRecord> | undefined {
    return this.#schedules.find((one) => one.id === id);
  }
}
