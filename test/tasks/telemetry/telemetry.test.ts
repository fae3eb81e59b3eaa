import assert from "node:assert/strict";
import { afterEach, test } from "node:test";
import { metrics, SpanKind, SpanStatusCode, trace } from "@opentelemetry/api";
import {
  AggregationTemporality,
  InMemoryMetricExporter,
  MeterProvider,
  PeriodicExportingMetricReader,
} from "@opentelemetry/sdk-metrics";
import {
  InMemorySpanExporter,
  NodeTracerProvider,
  type ReadableSpan,
  SimpleSpanProcessor,
} from "@opentelemetry/sdk-trace-node";
import { chain, chord, meterStore } from "../../../src/tasks/index.ts";
import { onEachDriver } from "../drivers.ts";
import { add, double, flaky, total } from "../fixtures/tasks.ts";
import { inChild } from "../fixtures/traced.ts";
import { type OpenPlace, Stage } from "../suite/stage.ts";

const spans = new InMemorySpanExporter();
new NodeTracerProvider({ spanProcessors: [new SimpleSpanProcessor(spans)] }).register();
const measured = new InMemoryMetricExporter(AggregationTemporality.CUMULATIVE);
const reader = new PeriodicExportingMetricReader({ exporter: measured, exportIntervalMillis: 3_600_000 });
metrics.setGlobalMeterProvider(new MeterProvider({ readers: [reader] }));

const named = (name: string) => spans.getFinishedSpans().filter((span) => span.name === name);
const traceOf = (span: ReadableSpan | undefined) => span?.spanContext().traceId;

/** The spans of this name once there are so many: one ends a moment after the result of its task is known. */
async function ended(name: string, count: number): Promise<ReadableSpan[]> {
  while (named(name).length < count) await new Promise((resolve) => setTimeout(resolve, 10));
  return named(name);
}

/** What was measured, by the name of the instrument. */
async function figures(name: string) {
  measured.reset();
  await reader.forceFlush();
  return measured
    .getMetrics()
    .flatMap(({ scopeMetrics }) => scopeMetrics.flatMap(({ metrics }) => metrics))
    .filter(({ descriptor }) => descriptor.name === name)
    .flatMap(({ dataPoints }) => dataPoints as { attributes: Record<string, unknown>; value: unknown }[]);
}

function tests(open: OpenPlace): void {
  afterEach(() => spans.reset());

  test("each attempt is a span below the one that enqueued the task, and says how it ended", async () => {
    await using stage = await Stage.open(open);
    await stage.work();
    const tracer = trace.getTracer("test");
    const handle = await tracer.startActiveSpan("request", async (request) => {
      const made = await stage.client.enqueue(flaky, 1);
      request.end();
      return made;
    });
    await handle.result();
    const attempts = await ended("process flaky", 2);
    const [request] = named("request");
    const [send] = named("send flaky");
    assert.equal(send?.kind, SpanKind.PRODUCER);
    assert.equal(send?.parentSpanContext?.spanId, request?.spanContext().spanId);
    assert.deepEqual(
      attempts.map(({ attributes, status, kind }) => [
        attributes["pawl.task.attempt"],
        attributes["pawl.task.result"],
        status.code,
        kind,
      ]),
      [
        [1, "retry", SpanStatusCode.ERROR, SpanKind.CONSUMER],
        [2, "succeeded", SpanStatusCode.UNSET, SpanKind.CONSUMER],
      ],
    );
    for (const attempt of attempts) {
      assert.equal(traceOf(attempt), traceOf(request));
      assert.equal(attempt.parentSpanContext?.spanId, send?.spanContext().spanId);
      assert.equal(attempt.attributes["messaging.message.id"], handle.id);
      assert.equal(attempt.attributes["messaging.destination.name"], "default");
    }
  });

  test("all of a flow is one trace, whichever worker runs its links", async () => {
    await using stage = await Stage.open(open);
    for (const _ of [1, 2]) await stage.work({ queues: { default: 2 } });
    const members = Array.from({ length: 3 }, (_, n) => chain(add.with({ a: n }), double));
    const handle = await stage.client.enqueueFlow(chord(members, total));
    assert.deepEqual((await handle.result()).sum, 12);
    const links = [
      ...(await ended("process add", 3)),
      ...(await ended("process double", 3)),
      ...(await ended("process total", 1)),
    ];
    const [send] = named("send flow");
    assert.deepEqual(new Set(links.map(traceOf)), new Set([traceOf(send)]));
  });

  test("one call that stores many tasks is one span, with their number", async () => {
    await using stage = await Stage.open(open);
    await stage.client.enqueueMany(double, [1, 2, 3]);
    await stage.work();
    const attempts = await ended("process double", 3);
    const [send, ...others] = named("send double");
    assert.deepEqual([send?.attributes["messaging.batch.message_count"], others.length], [3, 0]);
    for (const { parentSpanContext } of attempts) {
      assert.equal(parentSpanContext?.spanId, send?.spanContext().spanId);
    }
  });

  test("an attempt in a child process goes on with the trace", async () => {
    await using stage = await Stage.open(open);
    await stage.work();
    const handle = await stage.client.enqueue(inChild);
    const seen = await handle.result();
    const [span] = await ended("process in-child", 1);
    assert.equal(seen, traceOf(span));
    assert.equal(seen, traceOf(named("send in-child")[0]));
  });

  test("attempts and enqueued tasks are counted, and the figures of the store can be read", async () => {
    await using stage = await Stage.open(open);
    const of = async (name: string, task: string) =>
      (await figures(name)).filter(({ attributes }) => attributes["pawl.task.name"] === task);
    const sentBefore = Number((await of("messaging.client.sent.messages", "add"))[0]?.value ?? 0);
    await stage.work();
    const handle = await stage.client.enqueue(add, { a: 1 });
    await handle.result();
    await ended("process add", 1);
    const [sent] = await of("messaging.client.sent.messages", "add");
    assert.equal(Number(sent?.value) - sentBefore, 1);
    const [duration] = await of("messaging.process.duration", "add");
    assert.ok(duration);
    assert.equal(duration.attributes["pawl.task.result"], "succeeded");
    assert.ok((duration.value as { count: number }).count >= 1);
    const stop = await meterStore(stage.store);
    const succeeded = async () =>
      (await figures("pawl.tasks")).find(({ attributes }) => attributes.state === "succeeded")?.value;
    assert.equal(await succeeded(), 1);
    stop();
  });
}

onEachDriver("OpenTelemetry", tests);
