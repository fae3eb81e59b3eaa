import { defineJob, ItemError } from "pawl/batch";
import { postgres } from "pawl/connect/postgres";
import { OrdersApi } from "./orders-api.ts";

/** From our own source into a table: `pawl run import-orders.ts --param api=https://shop.example/orders`. */
export default ({ api = "" }: Readonly<Record<string, string>>) =>
  defineJob({
    name: "import orders",
    key: `orders of ${api}`,
    source: new OrdersApi(api),
    transform: ({ id, customer, cents }) => {
      if (cents < 0) throw new ItemError(`order ${id} costs ${cents} cents`);
      return { id, customer, euros: (cents / 100).toFixed(2) };
    },
    // Ids only grow, so no key comes twice.
    sink: postgres({ url: process.env.DATABASE_URL ?? "", table: "orders", unique: true }),
  });
