/** Readers of an address's parameters, for `validateSearch`: what is not understood counts as left out. */

/** `{[name]: text}`, or nothing. */
export function optionalText<Name extends string>(name: Name, given: unknown): Partial<Record<Name, string>> {
  const found: Partial<Record<Name, string>> = {};
  if (typeof given === "string" && given !== "") found[name] = given;
  return found;
}

/** `{[name]: one of the values}`, or nothing. */
export function optionalOneOf<Name extends string, Value extends string>(
  name: Name,
  given: unknown,
  values: readonly Value[],
): Partial<Record<Name, Value>> {
  const value = values.find((known) => known === given);
  const found: Partial<Record<Name, Value>> = {};
  if (value !== undefined) found[name] = value;
  return found;
}
