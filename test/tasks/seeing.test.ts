import { onEachDriver } from "./drivers.ts";
import { figures } from "./seeing/figures.ts";
import { subscribing } from "./seeing/subscribing.ts";

onEachDriver("what is seen", (open) => {
  subscribing(open);
  figures(open);
});
