import UPlot from "uplot";
import { expect, test, vi } from "vitest";
import { plotOptions } from "@/plot/plotOptions";

const LEFT = 52;
const TOP = 20;
const WIDTH = 300;
const TEXT_WIDTH = 40;

/** Where the name of a mark is written over a plot of 300 by 200 pixels. */
function written(markedAt: number): { x: number; y: number } {
  const fillText = vi.fn<(text: string, x: number, y: number) => void>();
  const measureText = () => ({ width: TEXT_WIDTH });
  const ctx = new Proxy<Record<string, unknown>>(
    { fillText, measureText },
    { get: (drawing, name) => drawing[String(name)] ?? (() => undefined) },
  );
  const options = plotOptions({
    width: LEFT + WIDTH,
    height: 260,
    series: [],
    range: undefined,
    dark: false,
    mark: () => ({ x: 3, label: "best: 3" }),
  });
  const plot = {
    ctx,
    bbox: { left: LEFT, top: TOP, width: WIDTH, height: 200 },
    valToPos: () => markedAt,
  } as unknown as UPlot;
  Object.assign(UPlot, { pxRatio: 1 });
  const draw = options.hooks?.draw?.[0];
  if (draw === undefined) throw new Error("Nothing is drawn.");
  draw(plot);
  const [text, x, y] = fillText.mock.calls[0] ?? [];
  expect(text).toBe("best: 3");
  return { x: x ?? NaN, y: y ?? NaN };
}

test("the name of a mark stands above the lines, which it would hide", () => {
  expect(written(200).x).toBe(200);
  expect(written(200).y).toBeLessThan(TOP);
  expect(written(200).y).toBeGreaterThan(10);
});

test("the name of a mark at an edge stays within the plot", () => {
  expect(written(LEFT).x).toBe(LEFT + TEXT_WIDTH / 2);
  expect(written(LEFT + WIDTH).x).toBe(LEFT + WIDTH - TEXT_WIDTH / 2);
});
