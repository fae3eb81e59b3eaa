import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import pg from "pg";
import { chord } from "../../src/tasks/index.ts";
import { TestServer } from "../connect/postgres/server.ts";
import { LentStores } from "../store/postgres/lent.ts";
import { lentPlace } from "./drivers.ts";
import { add, double, once, total } from "./fixtures/tasks.ts";
import { Stage } from "./suite/stage.ts";
import { tasksSuite } from "./suite.ts";

let server: TestServer;
let stores: LentStores;
before(async () => {
  server = await TestServer.shared();
  stores = new LentStores(server);
});
after(async () => {
  await stores.close();
  await server.stop();
});

const open = () => lentPlace(stores);

tasksSuite("PostgreSQL", open);

describe("calls within a transaction of the caller", () => {
  test("are there when it commits, and never when it does not", async () => {
    await using stage = await Stage.open(open);
    await stage.work();
    const tx = new pg.Client({ connectionString: stage.address });
    await tx.connect();
    for (const end of ["ROLLBACK", "COMMIT"]) {
      await tx.query("BEGIN");
      const single = await stage.client.enqueue(add, { a: 1 }, { tx });
      const unique = await stage.client.enqueue(once, { key: end }, { tx });
      const many = await stage.client.enqueueMany(double, [1, 2, 3], { tx });
      const members = Array.from({ length: 700 }, (_, n) => double.with(n));
      const flow = await stage.client.enqueueFlow(chord(new Set(members), total), undefined, { tx });
      assert.deepEqual([single.created, unique.created, many.created], [true, true, 3]);
      assert.equal(await single.status(), undefined);
      await assert.rejects(stage.client.enqueue(once, { key: end }, { tx }), { code: "task.unique" });
      await tx.query(end);
      if (end === "ROLLBACK") {
        for (const handle of [single, unique, flow]) assert.equal(await handle.status(), undefined);
      } else {
        assert.equal(await single.result(), 2);
        assert.equal(await unique.result(), "COMMIT");
        assert.equal((await flow.result()).count, 700);
        const doubled = await stage.store.query({ name: "double", states: ["succeeded"] });
        assert.equal(doubled.length, 703);
      }
    }
    await tx.end();
  });
});
