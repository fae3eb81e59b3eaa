type WithStore = typeof import("./session.ts").withStore;

/** As `withStore` of a session, which is loaded when a command needs the store, and not for `--help`. */
export const withStore: WithStore = async (body, options) => {
  const session = await import("./session.ts");
  return await session.withStore(body, options);
};
