const format = new Intl.NumberFormat("en");

/** "1 image", "12,000 images". */
export function count(number: number, one: string, many = `${one}s`): string {
  return `${format.format(number)} ${number === 1 ? one : many}`;
}
