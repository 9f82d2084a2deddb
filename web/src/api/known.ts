/** A value of an enum that is never left out in answers; Error when it is, which would be the server's fault. */
export function known<Value extends string>(value: Value | "unspecified"): Exclude<Value, "unspecified"> {
  if (value === "unspecified") throw new Error("The server left out what it always gives.");
  return value as Exclude<Value, "unspecified">;
}
