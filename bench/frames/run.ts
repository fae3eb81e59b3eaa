import { frameCases } from "./cases.ts";
import { holdAll } from "./season.ts";
import { everySide } from "./side.ts";

await holdAll(frameCases, everySide, new Map());
