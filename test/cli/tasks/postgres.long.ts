import { taskStories } from "./stories.ts";

taskStories("PostgreSQL", (scene) => scene.url);
