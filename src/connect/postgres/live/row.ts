/** A row of a table by column name. */
export type Row = Readonly<Record<string, unknown>>;
