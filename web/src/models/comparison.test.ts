import { expect, test } from "vitest";
import { comparedCurves, comparedMetrics } from "@/models/comparison";
import type { CurvePoint } from "@/models/comparisonService";
import type { Model } from "@/models/modelService";

function model(part: Partial<Model>): Model {
  return {
    name: "Cells",
    metrics: {},
    architecture: "yolov8n",
    imageSize: 640,
    datasetDigest: "ab",
    ...part,
  } as Model;
}

test("the best value of each metric is found, also when two share it", () => {
  const models = [model({ metrics: { map50: 0.7, recall: 0.5 } }), model({ metrics: { map50: 0.7 } })];
  expect(comparedMetrics(models)).toEqual([
    { name: "map50", values: [0.7, 0.7], best: [0, 1] },
    { name: "recall", values: [0.5, undefined], best: [0] },
  ]);
});

test("a training that stopped earlier has a shorter line", () => {
  const epochs = [1, 2, 3].map((epoch) => ({ epoch, valLoss: epoch / 10 }) as CurvePoint);
  const curves = comparedCurves(
    [model({}), model({})],
    [epochs, epochs.slice(0, 1)],
    ({ valLoss }) => valLoss,
  );
  expect(curves.x).toEqual([1, 2, 3]);
  expect(curves.series).toEqual([
    { label: "Cells (1)", values: [0.1, 0.2, 0.3] },
    { label: "Cells (2)", values: [0.1, undefined, undefined] },
  ]);
});
