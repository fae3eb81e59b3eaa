import { frameCases } from "./cases.ts";
import { measureFlatness } from "./flat.ts";
import { measureMap } from "./map.ts";
import { holdAll } from "./season.ts";
import { everySide } from "./side.ts";

await holdAll(
  frameCases,
  everySide,
  new Map([
    ["memory", measureFlatness],
    ["map", measureMap],
  ]),
);
