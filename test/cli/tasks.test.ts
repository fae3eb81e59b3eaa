import { after, before, describe, it } from "node:test";
import { TestServer } from "../connect/postgres/server.ts";
import { Scene } from "./scene.ts";
import { Desk } from "./tasks/desk.ts";
import { looking } from "./tasks/looking.ts";
import { runs } from "./tasks/runs.ts";
import { schedules } from "./tasks/schedules.ts";
import { steering } from "./tasks/steering.ts";

let server: TestServer;
before(async () => {
  server = await TestServer.start();
});
after(() => server.stop());

const drivers: Readonly<Record<string, (scene: Scene) => string>> = {
  SQLite: (scene) => scene.path("tasks.db"),
  PostgreSQL: (scene) => scene.url,
};

for (const [name, addressOf] of Object.entries(drivers)) {
  describe(`tasks on ${name} from the command line`, { concurrency: 3 }, () => {
    for (const [title, story] of Object.entries({ ...looking, ...steering, ...schedules, ...runs })) {
      it(title, async () => {
        await using scene = await Scene.begin(server);
        await using desk = await Desk.open(scene, addressOf(scene));
        await story(desk);
      });
    }
  });
}
