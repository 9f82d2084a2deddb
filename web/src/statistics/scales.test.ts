import { expect, test } from "vitest";
import { linearScale, logScale, octaves, powersOfTwo, roundNumbers } from "@/statistics/scales";

test("equal factors are equally far apart on a logarithmic scale", () => {
  const scale = logScale([1, 16], [0, 100]);
  expect([1, 2, 4, 16].map(scale)).toEqual([0, 25, 50, 100]);
});

test("a span without an extent still has a place", () => {
  expect(linearScale([5, 5], [0, 100])(5)).toBe(0);
});

test("marks are powers of two and not too many", () => {
  expect(powersOfTwo([2 * Math.SQRT2, 40], 8)).toEqual([4, 8, 16, 32]);
  expect(powersOfTwo([1, 1024], 6)).toEqual([1, 4, 16, 64, 256, 1024]);
  expect(powersOfTwo([1 / 8, 1], 8)).toEqual([1 / 8, 1 / 4, 1 / 2, 1]);
  expect(powersOfTwo([33, 40], 8)).toEqual([]);
});

test("marks of a plain scale are round", () => {
  expect(roundNumbers(640, 5)).toEqual([0, 200, 400, 600]);
  expect(roundNumbers(100, 5)).toEqual([0, 20, 40, 60, 80, 100]);
});

test("the last step is a part of what is shown", () => {
  expect(octaves([4, 2, 8])).toEqual([2, 8 * Math.SQRT2]);
});
