/** A trace context as text, in the form of the propagator that the program chose: `traceparent` and the like. */
export type Trace = Readonly<Record<string, string>>;
