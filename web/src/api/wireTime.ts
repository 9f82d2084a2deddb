/** A time of the API, RFC 3339; undefined where it is left out. */
export function optionalTime(wire: string | undefined): Date | undefined {
  return wire === undefined ? undefined : new Date(wire);
}
