import { defineJob } from "pawl/batch";
import { table } from "pawl/connect/postgres";
import { SearchIndex } from "./search-index.ts";

/** From a table into our own sink: `pawl run index-orders.ts --param index=https://search.example/documents`. */
export default ({ index = "" }: Readonly<Record<string, string>>) =>
  defineJob({
    name: "index orders",
    key: `orders into ${index}`,
    source: table({ url: process.env.DATABASE_URL ?? "", table: "orders" }),
    transform: ({ id, customer, euros }) => ({ id: Number(id), customer, euros }),
    sink: new SearchIndex(index),
  });
