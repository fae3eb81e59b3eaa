import assert from "node:assert/strict";
import { test } from "node:test";
import { queueOf } from "../../../src/batch/internal.ts";
import { meterStore, metricsText, schedule } from "../../../src/tasks/index.ts";
import { double, waits } from "../fixtures/tasks.ts";
import { type OpenPlace, Stage } from "../suite/stage.ts";

/** The lines of a text for Prometheus that hold figures. */
function figuresIn(text: string): Map<string, number> {
  const figures = new Map<string, number>();
  for (const line of text.split("\n")) {
    if (line === "" || line.startsWith("#")) continue;
    assert.match(line, /^[a-z_]+(\{([a-z]+="([^"\\]|\\.)*",?)+\})? [-+.\de]+$/);
    const at = line.lastIndexOf(" ");
    figures.set(line.slice(0, at), Number(line.slice(at + 1)));
  }
  return figures;
}

/** Figures for monitoring. */
export function figures(open: OpenPlace): void {
  test("the text for Prometheus tells what waits, runs and ended, who works, and what is late", async () => {
    await using stage = await Stage.open(open);
    await stage.store.enqueue([
      { id: "odd", queue: 'say "hi"\n\\', name: "x", payload: null },
      { id: "shard", queue: queueOf("somerun"), name: "x", payload: null },
    ]);
    await stage.store.pauseQueue("heavy", true);
    await schedule("nightly", double.with(1), { cron: "0 0 1 1 *" }, { store: stage.store });
    await stage.work({ queues: { default: 4 } });
    const done = await stage.client.enqueue(double, 1);
    await done.result();
    const busy = await stage.client.enqueue(waits, null);
    await stage.until(busy.id, ({ state }) => state === "leased");
    const text = await metricsText(stage.store);
    const seen = figuresIn(text);
    const expected = {
      'pawl_tasks{queue="default",state="leased"}': 1,
      'pawl_tasks{queue="default",state="succeeded"}': 1,
      'pawl_tasks_succeeded_total{queue="default"}': 1,
      'pawl_tasks{queue="say \\"hi\\"\\n\\\\",state="waiting"}': 1,
      'pawl_queue_oldest_seconds{queue="default"}': 0,
      'pawl_queue_paused{queue="heavy"}': 1,
      'pawl_queue_paused{queue="default"}': 0,
      'pawl_schedule_late_seconds{schedule="nightly"}': 0,
      pawl_workers: 1,
    };
    for (const [name, value] of Object.entries(expected))
      assert.equal(seen.get(name), value, `${name}\n${text}`);
    assert.ok((seen.get('pawl_queue_oldest_seconds{queue="say \\"hi\\"\\n\\\\"}') ?? 0) > 0);
    // A run has a queue of its own: monitoring would get a new line for each.
    assert.doesNotMatch(text, /somerun/);
  });

  test("without OpenTelemetry nothing is kept with a task, and nothing is measured", async () => {
    await using stage = await Stage.open(open);
    const { id } = await stage.client.enqueue(double, 1);
    assert.doesNotMatch(JSON.stringify((await stage.task(id)).meta), /trace/);
    (await meterStore(stage.store))();
  });
}
