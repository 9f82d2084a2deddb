import { grouped } from "@/components/grouped";

/** "1 image", "12,000 images". */
export function count(number: number, one: string, many = `${one}s`): string {
  return `${grouped(number)} ${number === 1 ? one : many}`;
}
