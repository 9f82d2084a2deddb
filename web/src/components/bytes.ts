const UNITS = ["B", "kB", "MB", "GB", "TB"] as const;

/** A size in decimal units with three digits at most: "512 B", "6.2 MB", "141 GB". */
export function bytes(size: number): string {
  const power = size < 1000 ? 0 : Math.min(Math.floor(Math.log10(size) / 3), UNITS.length - 1);
  const value = size / 1000 ** power;
  return `${value < 10 && power > 0 ? value.toFixed(1) : Math.round(value)} ${UNITS[power] ?? "TB"}`;
}
