import { after, before, describe, it } from "node:test";
import { TestServer } from "../../connect/postgres/server.ts";
import { Scene } from "../scene.ts";
import { Desk } from "./desk.ts";
import { looking } from "./looking.ts";
import { runs } from "./runs.ts";
import { schedules } from "./schedules.ts";
import { steering } from "./steering.ts";

/** All that is done with tasks from the command line, on a store of either kind. */
export function taskStories(driver: "SQLite" | "PostgreSQL"): void {
  let server: TestServer | null = null;
  before(async () => {
    if (driver === "PostgreSQL") server = await TestServer.shared();
  });
  after(() => server?.stop());
  describe(`tasks on ${driver} from the command line`, { concurrency: 3 }, () => {
    for (const [title, story] of Object.entries({ ...looking, ...steering, ...schedules, ...runs })) {
      it(title, async () => {
        await using scene = await (server === null ? Scene.withoutDatabase() : Scene.begin(server));
        await using desk = await Desk.open(scene, server === null ? scene.path("tasks.db") : scene.url);
        await story(desk);
      });
    }
  });
}
