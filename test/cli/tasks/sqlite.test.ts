import { taskStories } from "./stories.ts";

taskStories("SQLite", (scene) => scene.path("tasks.db"));
