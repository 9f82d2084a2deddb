const format = new Intl.NumberFormat("en");

/** A number with its thousands apart: "12,000". */
export function grouped(number: number): string {
  return format.format(number);
}
