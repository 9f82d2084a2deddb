/** Turns a value into pixels. */
export type Scale = (value: number) => number;

export type Span = readonly [number, number];

/** Equal factors are equally far apart. Both ends of `values` are above 0. */
export function logScale(values: Span, pixels: Span): Scale {
  const linear = linearScale([Math.log2(values[0]), Math.log2(values[1])], pixels);
  return (value) => linear(Math.log2(value));
}

export function linearScale([from, to]: Span, [start, end]: Span): Scale {
  const span = to - from || 1;
  return (value) => start + ((value - from) / span) * (end - start);
}

/** Powers of two within a span, at most about `most` of them. */
export function powersOfTwo([from, to]: Span, most: number): number[] {
  const first = Math.ceil(Math.log2(from) - 1e-9);
  const last = Math.floor(Math.log2(to) + 1e-9);
  const step = Math.max(1, Math.ceil((last - first + 1) / most));
  return Array.from(
    { length: Math.max(0, Math.floor((last - first) / step) + 1) },
    (_, n) => 2 ** (first + n * step),
  );
}

/** Round numbers from 0 to `to`, at most about `most` of them. */
export function roundNumbers(to: number, most: number): number[] {
  const rough = to / most;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = ([1, 2, 5, 10].find((factor) => factor * power >= rough) ?? 10) * power;
  return Array.from({ length: Math.floor(to / step + 1e-9) + 1 }, (_, n) => n * step);
}

/** The ends of steps of half an octave that reach over all of the given beginnings. */
export function octaves(beginnings: readonly number[]): Span {
  return [Math.min(...beginnings), Math.max(...beginnings) * Math.SQRT2];
}
