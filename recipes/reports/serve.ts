import { createReadStream } from "node:fs";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { parseArgs } from "node:util";
import { disconnect, handleOf, PawlError, type TaskHandle, type TaskStatus } from "pawl/tasks";
import { buildReport, type Report } from "./tasks.ts";

const MOST_BYTES = 4096;

/** `POST /reports` answers at once; `GET /reports/ID` says how it stands. Nothing is kept in this process. */
export function reportServer(): Server {
  return createServer((request, response) => {
    answer(request, response).catch((error: unknown) => {
      const status = error instanceof PawlError && error.code === "task.input" ? 400 : 500;
      if (response.headersSent) response.destroy();
      else send(response, status, { error: error instanceof Error ? error.message : String(error) });
    });
  });
}

async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const { method, url = "/" } = request;
  if (method === "POST" && url === "/reports") return await order(request, response);
  const [, id, what] = /^\/reports\/([\w.:@-]+)(?:\/(events|file))?$/.exec(url) ?? [];
  const handle = id === undefined ? undefined : handleOf<Report>(id);
  const status = await handle?.status();
  if (handle === undefined || status?.name !== buildReport.name) {
    send(response, 404, { error: "there is no such report" });
  } else if (method === "DELETE") {
    send(response, 202, { cancelled: await handle.cancel() });
  } else if (what === "events") await follow(response, handle);
  else if (what === "file") await download(response, handle, status);
  else send(response, 200, view(status));
}

/** Stores the call. With an `Idempotency-Key` the same request again is the same report. */
async function order(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const input = await jsonOf(request);
  const { "idempotency-key": key } = request.headers;
  const handle = await buildReport.enqueue(input as never, typeof key === "string" ? { key } : {});
  response.setHeader("location", `/reports/${handle.id}`);
  send(response, handle.created ? 202 : 200, { id: handle.id });
}

function view({ id, state, attempt, progress, error, due }: TaskStatus): object {
  return { id, state, attempt, progress, error, nextTry: state === "waiting" ? due : null };
}

/** Server-sent events: each progress, and the end. A client that leaves is not waited for. */
async function follow(response: ServerResponse, handle: TaskHandle): Promise<void> {
  response.writeHead(200, { "content-type": "text/event-stream", "cache-control": "no-store" });
  const left = new AbortController();
  response.once("close", () => left.abort());
  for await (const progress of handle.progress({ signal: left.signal })) {
    response.write(`event: progress\ndata: ${JSON.stringify(progress)}\n\n`);
  }
  if (left.signal.aborted) return;
  const status = await handle.status();
  response.end(`event: end\ndata: ${JSON.stringify(status === undefined ? null : view(status))}\n\n`);
}

async function download(
  response: ServerResponse,
  handle: TaskHandle<Report>,
  { state }: TaskStatus,
): Promise<void> {
  if (state !== "succeeded") return send(response, 409, { error: `the report is ${state}` });
  const { file } = await handle.result();
  const stream = createReadStream(file);
  stream.once("open", () => {
    response.writeHead(200, { "content-type": "text/csv" });
    stream.pipe(response);
  });
  stream.once("error", () => send(response, 410, { error: "the file is gone" }));
}

async function jsonOf(request: IncomingMessage): Promise<unknown> {
  let body = "";
  request.setEncoding("utf8");
  for await (const piece of request) {
    body += piece;
    if (body.length > MOST_BYTES) return undefined;
  }
  try {
    return JSON.parse(body);
  } catch {
    return undefined;
  }
}

function send(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { "content-type": "application/json" }).end(`${JSON.stringify(body)}\n`);
}

if (import.meta.main) {
  const { values } = parseArgs({ options: { port: { type: "string", default: "8080" } } });
  const server = reportServer().listen(Number(values.port), "127.0.0.1", () => {
    console.log(`http://127.0.0.1:${(server.address() as AddressInfo).port}/reports`);
  });
  const stop = (): void => {
    server.close(() => void disconnect());
    server.closeAllConnections();
  };
  process.once("SIGINT", stop);
  process.once("SIGTERM", stop);
}
