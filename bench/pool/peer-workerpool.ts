import { load } from "./peers.ts";
import { churn, squareOf, sumOf } from "./tasks.ts";

const { default: workerpool } = await load("workerpool");
workerpool.worker({ churn, squareOf, sumOf });
