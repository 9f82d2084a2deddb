import { expect, test } from "vitest";
import { fitted, panned, zoomed } from "@/images/zoom";

const IMAGE = { width: 200, height: 100 };
const FRAME = { width: 400, height: 400 };

test("a picture fits its frame and lies in the middle", () => {
  expect(fitted(IMAGE, FRAME)).toEqual({ scale: 2, left: 0, top: 100 });
});

test("a tiny picture is enlarged four times and no more", () => {
  expect(fitted({ width: 10, height: 10 }, FRAME).scale).toBe(4);
});

test("what is under the pointer stays there while zooming in", () => {
  const before = fitted(IMAGE, FRAME);
  const place = { x: 300, y: 200 };
  const after = zoomed(before, 4, place, IMAGE, FRAME);
  expect((place.x - after.left) / after.scale).toBeCloseTo((place.x - before.left) / before.scale);
  expect((place.y - after.top) / after.scale).toBeCloseTo((place.y - before.top) / before.scale);
});

test("zooming out ends at the whole picture", () => {
  const near = zoomed(fitted(IMAGE, FRAME), 8, { x: 10, y: 150 }, IMAGE, FRAME);
  const far = zoomed(near, 1 / 1000, { x: 10, y: 150 }, IMAGE, FRAME);
  expect(far.scale).toBe(1);
  expect(far.left).toBe(100);
});

test("a picture cannot be dragged out of its frame", () => {
  const near = zoomed(fitted(IMAGE, FRAME), 4, { x: 0, y: 200 }, IMAGE, FRAME);
  expect(panned(near, { x: 10_000, y: 10_000 }, IMAGE, FRAME)).toMatchObject({ left: 0, top: 0 });
  expect(panned(near, { x: -10_000, y: 0 }, IMAGE, FRAME).left).toBe(FRAME.width - IMAGE.width * near.scale);
});
