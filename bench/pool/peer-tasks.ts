/** The functions as the peers load them: the same text, from the same file. */
export { churn, squareOf, sumOf } from "./tasks.ts";
