import { existsSync } from "node:fs";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { parseArgs } from "node:util";
import { type Actor, ActorDiedError, control, PawlError, replicas, TimeLimitError } from "pawl/pool";
import { Model, makeModel } from "./model.ts";

const MOST_BYTES = 4096;

/** Answers `POST /predict` from the model in turn, and `GET /stats`. */
function serverFor(model: Actor<Model>): Server {
  const began = performance.now();
  const limited = control(model).with({ timeout: 1000 });
  const counts = { answered: 0, refused: 0, failed: 0 };

  async function predict(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const drawing = await bodyOf(request);
    const prediction = drawing === null ? null : await limited.predict(drawing);
    if (prediction === null) {
      counts.refused++;
      send(response, 400, { error: "send 7 rows of 5 points, # or ., as the body" });
    } else {
      counts.answered++;
      send(response, 200, prediction);
    }
  }

  return createServer((request, response) => {
    if (request.method === "GET" && request.url === "/stats") {
      const uptimeMs = Math.round(performance.now() - began);
      send(response, 200, { uptimeMs, ...counts, replicas: control(model).stats() });
    } else if (request.method === "POST" && request.url === "/predict") {
      predict(request, response).catch((error: unknown) => {
        counts.failed++;
        send(response, statusFor(error), { error: error instanceof Error ? error.message : String(error) });
      });
    } else send(response, 404, { error: "there are POST /predict and GET /stats" });
  });
}

/** What a client can do about it: wait and try again, or not. */
function statusFor(error: unknown): number {
  if (error instanceof TimeLimitError) return 504;
  if (error instanceof ActorDiedError) return 503;
  return error instanceof PawlError && error.code === "pool.actor-busy" ? 503 : 500;
}

async function bodyOf(request: IncomingMessage): Promise<string | null> {
  let body = "";
  request.setEncoding("utf8");
  for await (const piece of request) {
    body += piece;
    if (body.length > MOST_BYTES) return null;
  }
  return body;
}

function send(response: ServerResponse, status: number, body: unknown): void {
  const headers = { "content-type": "application/json", ...(status === 503 ? { "retry-after": "1" } : {}) };
  response.writeHead(status, headers).end(`${JSON.stringify(body)}\n`);
}

if (import.meta.main) {
  const { values } = parseArgs({
    options: {
      init: { type: "boolean", default: false },
      model: { type: "string", default: "model.json" },
      port: { type: "string", default: "8080" },
      replicas: { type: "string", default: "4" },
    },
  });
  if (values.init) {
    const right = makeModel(values.model, 7);
    console.log(`${values.model}: ${(right * 100).toFixed(1)} % of 2,000 unseen digits are right`);
  } else if (!existsSync(values.model)) {
    console.error(`There is no ${values.model}: make it with --init, or name another with --model.`);
    process.exitCode = 1;
  } else {
    const model = await replicas(Number(values.replicas), Model, [values.model], {
      isolate: "process",
      maxRestarts: Number.POSITIVE_INFINITY,
      maxPending: 1000,
    });
    const server = serverFor(model).listen(Number(values.port), "127.0.0.1", () => {
      const { port } = server.address() as AddressInfo;
      console.log(`http://127.0.0.1:${port} answers from ${values.replicas} replicas`);
    });
    const stop = (): void => {
      // Answers what has been asked, then ends the workers.
      server.close(() => void control(model).close());
      server.closeIdleConnections();
    };
    process.once("SIGINT", stop);
    process.once("SIGTERM", stop);
  }
}
