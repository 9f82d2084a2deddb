import { expect, test } from "vitest";
import { METRIC_GROUPS, metricName, metricValue } from "@/jobs/metricNames";

test.each([
  ["map50_95", "mAP@50-95"],
  ["mask_map50", "Mask mAP@50"],
  ["box_precision", "Box Precision"],
  ["top1_accuracy", "Top-1 accuracy"],
  ["something_new", "something_new"],
])("%s is called %s", (metric, name) => {
  expect(metricName(metric)).toBe(name);
});

test("every metric of every task has a name and is there once", () => {
  for (const groups of Object.values(METRIC_GROUPS)) {
    const metrics = groups.flatMap((group) => group.metrics);
    expect(new Set(metrics).size).toBe(metrics.length);
    for (const metric of metrics) expect(metricName(metric)).not.toBe(metric);
  }
});

test("a metric that was not measured is a dash", () => {
  expect([metricValue(0.98765), metricValue(undefined)]).toEqual(["0.988", "–"]);
});
