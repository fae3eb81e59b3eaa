import { leavesHeapFlat } from "./flat.ts";

leavesHeapFlat(1_000_000);
