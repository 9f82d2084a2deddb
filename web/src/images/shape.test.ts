import { expect, test } from "vitest";
import { extent, readShape, type Shape, writeShape } from "@/images/shape";

const SHAPES: Shape[] = [
  { type: "circle", centre: { x: 5, y: 6 }, radius: 2.5 },
  { type: "box", min: { x: 1, y: 2 }, max: { x: 4, y: 8 } },
  {
    type: "rectangle",
    points: [
      { x: 2, y: 0 },
      { x: 4, y: 2 },
      { x: 2, y: 4 },
      { x: 0, y: 2 },
    ],
  },
  {
    type: "polygon",
    points: [
      { x: 0, y: 0 },
      { x: 9, y: 1 },
      { x: 3, y: 7 },
    ],
  },
];

test.each(SHAPES)("a $type is sent as it came", (shape) => {
  expect(readShape({ id: "a", ...writeShape(shape) })).toEqual(shape);
});

test.each([
  [SHAPES[0], 5, 5],
  [SHAPES[1], 3, 6],
  [SHAPES[2], 4, 4],
  [SHAPES[3], 9, 7],
])("the box around a shape has its width and height", (shape, width, height) => {
  expect(shape && extent(shape)).toEqual({ width, height });
});

test("an annotation without a shape is refused", () => {
  expect(() => readShape({ id: "a" })).toThrow("no shape");
});
