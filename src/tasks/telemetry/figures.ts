import type { Store, TaskState, WorkerRecord } from "../../store/contract.ts";
import { queueRates, RUN_QUEUES, SILENT_AFTER_MS } from "../worker/heartbeat.ts";

/** One figure of a store as monitoring knows it, for each of some labels. */
export interface Figure {
  /** In the manner of Prometheus: with its unit, words joined by underscores. */
  readonly name: string;
  readonly help: string;
  /** A counter only grows. */
  readonly type: "gauge" | "counter";
  readonly labels: readonly string[];
  readonly values: readonly (readonly [labels: Readonly<Record<string, string>>, value: number])[];
}

const STATES: readonly TaskState[] = ["waiting", "leased", "succeeded", "dead", "cancelled"];

/**
 * The figures of a store, from counters and heartbeats, never from tasks. Queues of runs are left out: each run would
 * add labels for ever.
 */
export async function figuresOf(store: Store): Promise<Figure[]> {
  const [queues, rates, workers, schedules, now] = await Promise.all([
    store.queues().then((all) => all.filter(({ name }) => !name.startsWith(RUN_QUEUES))),
    queueRates(store),
    store.workers(SILENT_AFTER_MS),
    store.schedules(),
    store.now(),
  ]);
  const perQueue = (of: (queue: (typeof queues)[number]) => number) =>
    queues.map((queue) => [{ queue: queue.name }, of(queue)] as const);
  return [
    {
      name: "pawl_tasks",
      help: "Tasks of a queue by state; settled ones since the queue exists.",
      type: "gauge",
      labels: ["queue", "state"],
      values: queues.flatMap(({ name, counts }) =>
        STATES.map((state) => [{ queue: name, state }, counts[state]] as const),
      ),
    },
    {
      name: "pawl_tasks_succeeded_total",
      help: "Tasks that succeeded since the queue exists.",
      type: "counter",
      labels: ["queue"],
      values: perQueue(({ counts }) => counts.succeeded),
    },
    {
      name: "pawl_queue_oldest_seconds",
      help: "Since when the first in line could have begun; 0 when none could.",
      type: "gauge",
      labels: ["queue"],
      values: perQueue(({ oldestDue }) => (oldestDue === null ? 0 : Math.max(0, now - oldestDue) / 1_000)),
    },
    {
      name: "pawl_queue_paused",
      help: "1 while a queue is paused.",
      type: "gauge",
      labels: ["queue"],
      values: perQueue(({ paused }) => Number(paused)),
    },
    {
      name: "pawl_queue_ended_last_minute",
      help: "Attempts that ended in the last minute, as the workers say.",
      type: "gauge",
      labels: ["queue"],
      values: perQueue(({ name }) => rates.get(name) ?? 0),
    },
    ...workerFigures(workers),
    {
      name: "pawl_schedule_late_seconds",
      help: "How long a schedule should have fired already; 0 while it is in time.",
      type: "gauge",
      labels: ["schedule"],
      values: schedules.map(({ id, paused, next }) => [
        { schedule: id },
        paused || next === null ? 0 : Math.max(0, now - next) / 1_000,
      ]),
    },
  ];
}

/** By host, because process ids come and go. */
function workerFigures(workers: readonly WorkerRecord[]): Figure[] {
  const all: Figure = {
    name: "pawl_workers",
    help: "Worker processes that were heard of in the last 30 seconds.",
    type: "gauge",
    labels: [],
    values: [[{}, workers.length]],
  };
  const hosts = [...new Set(workers.map(({ host }) => host))];
  const figure = (name: string, help: string, of: (worker: WorkerRecord) => number): Figure => ({
    name,
    help,
    type: "gauge",
    labels: ["host"],
    values: hosts.map((host) => [
      { host },
      workers.filter((worker) => worker.host === host).reduce((sum, worker) => sum + of(worker), 0),
    ]),
  });
  return [
    all,
    figure("pawl_worker_slots", "How many tasks they can run at once.", ({ slots }) => slots),
    figure("pawl_worker_busy", "How many tasks they run.", ({ running }) => running.length),
    figure(
      "pawl_worker_memory_bytes",
      "Memory of the worker processes, without children.",
      ({ memory }) => memory,
    ),
  ];
}
