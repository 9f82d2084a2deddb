const FIRST_MS = 500;
const LONGEST_MS = 15_000;

/** Milliseconds before another try after so many failures, 1 and more; random, so that not all come at once. */
export function backoff(failures: number, random: () => number = Math.random): number {
  const longest = Math.min(LONGEST_MS, FIRST_MS * 2 ** (failures - 1));
  return longest * (0.5 + random() / 2);
}
