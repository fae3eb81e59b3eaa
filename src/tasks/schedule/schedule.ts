import { assertMethods, assertObject, assertText } from "../../arguments.ts";
import { PawlError } from "../../errors.ts";
import type { Json, NewTask, ScheduleRecord, Store } from "../../store/contract.ts";
import { namingText } from "../client/call.ts";
import { defaultClient } from "../client/default-client.ts";
import { type AnyLink, composed, type Link, passIn, queueOf } from "../flow/link.ts";
import { type Unfolded, unfold } from "../flow/next-tasks.ts";
import type { NodeSpec } from "../flow/spec.ts";
import { checkFlow } from "../flow/store-flow.ts";
import { nextTime, type ScheduleTimes, timesOf, timesSpec } from "./times.ts";

/** Options of the functions for schedules. */
export interface ScheduleOptions {
  /**
   * An open store.
   * @default the store of the program, see `useStore`
   */
  readonly store?: Store;
}

/** A placeholder for the id of the task, which is known when the schedule fires. */
const LATER = "";

/**
 * Stores a schedule, or changes the one with this name. Workers fire it from its next time on, once for each time. Where its
 * times are unchanged, the time at which it fires next is unchanged as well.
 *
 * @param link what is enqueued: a task without input, `task.with(input)`, or a flow
 * @throws PawlError `schedule.name`, `schedule.times`, `schedule.cron`, `schedule.timezone`, `schedule.every`,
 *   `schedule.catch-up` or `schedule.never` for a name or times that are not right, `schedule.stream` for a flow that reads its
 *   members from an iterable, `task.input` for an input that its schema refuses
 * @example
 * ```ts
 * const report = task({ name: "report" }, (region: string, context) => context.log(region, context.scheduledFor));
 * await schedule("nightly-report", report.with("north"), { cron: "30 2 * * *", timezone: "Europe/Berlin" });
 * ```
 */
export async function schedule(
  name: string,
  link: Link<unknown, unknown>,
  times: ScheduleTimes,
  options: ScheduleOptions = {},
): Promise<ScheduleRecord> {
  namingText(name, "The name of a schedule", "schedule.name");
  const spec = timesSpec(name, times);
  const node = begun(link);
  const store = await storeOf(options);
  await checkFlow(store, node, { value: null });
  const into: Unfolded = { tasks: [], groups: [] };
  unfold(node, { flow: LATER, base: LATER, stage: 1 }, { value: null }, into);
  const { id: _, flow: __, ...template } = into.tasks[0] as NewTask;
  return await store.putSchedule({
    id: name,
    spec: spec as unknown as Json,
    task: template as unknown as Json,
    next: nextTime(spec, await store.now()),
  });
}

/**
 * Pauses a schedule: it does not fire until `resumeSchedule`.
 *
 * @returns false when there is no schedule with this name
 * @throws PawlError `argument.text` where the name is not a text, `argument.methods` where the store is not an open one
 * @example
 * ```ts
 * await pauseSchedule("nightly-report");
 * ```
 */
export async function pauseSchedule(name: string, options: ScheduleOptions = {}): Promise<boolean> {
  assertText(name, "The name of a schedule");
  return await (await storeOf(options)).pauseSchedule(name, true);
}

/**
 * Resumes a paused schedule at its next time. Times that passed while it was paused are left out.
 *
 * @returns false when there is no schedule with this name
 * @throws PawlError `argument.text` where the name is not a text, `argument.methods` where the store is not an open one
 * @example
 * ```ts
 * await resumeSchedule("nightly-report");
 * ```
 */
export async function resumeSchedule(name: string, options: ScheduleOptions = {}): Promise<boolean> {
  assertText(name, "The name of a schedule");
  const store = await storeOf(options);
  const found = (await store.schedules()).find(({ id }) => id === name);
  if (found === undefined) return false;
  return await store.pauseSchedule(name, false, nextTime(timesOf(found.spec), await store.now()));
}

/**
 * Removes a schedule. The tasks that it has enqueued stay.
 *
 * @returns false when there is no schedule with this name
 * @throws PawlError `argument.text` where the name is not a text, `argument.methods` where the store is not an open one
 * @example
 * ```ts
 * console.log((await removeSchedule("nightly-report")) ? "removed" : "there is none");
 * ```
 */
export async function removeSchedule(name: string, options: ScheduleOptions = {}): Promise<boolean> {
  assertText(name, "The name of a schedule");
  return await (await storeOf(options)).removeSchedule(name);
}

/** A schedule fires one task: a flow that begins with a group has one before it that only passes on. */
function begun(link: AnyLink): NodeSpec {
  const { node } = composed(link);
  if (node === null) {
    throw new PawlError(
      "schedule.stream",
      "A schedule cannot store members that are read as they are stored: give the group an array.",
    );
  }
  const [first] = node;
  return first !== undefined && "members" in first ? [passIn(queueOf(node)), ...node] : node;
}

async function storeOf(options: ScheduleOptions): Promise<Store> {
  assertObject(options, "The options of a schedule");
  const { store } = options;
  if (store !== undefined) assertMethods(store, "schedules", "The store of a schedule must be an open one");
  return store ?? (await defaultClient().store());
}
