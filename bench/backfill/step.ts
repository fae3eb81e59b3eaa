import { randomUUID } from "node:crypto";

/** What the ticket asks for: application code decides on the token. */
export default ({ id }: { readonly id: string }) => ({ id, token: randomUUID() });
