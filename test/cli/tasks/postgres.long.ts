import { taskStories } from "./stories.ts";

taskStories("PostgreSQL");
