import { taskStories } from "./stories.ts";

taskStories("SQLite");
