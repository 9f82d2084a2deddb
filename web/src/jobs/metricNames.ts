import type { TaskType } from "@/jobs/jobService";

const NAMES: Readonly<Record<string, string>> = {
  precision: "Precision",
  recall: "Recall",
  map50: "mAP@50",
  map50_95: "mAP@50-95",
  top1_accuracy: "Top-1 accuracy",
  top5_accuracy: "Top-5 accuracy",
};

/** What people call a metric of the API: "mask_map50" is "Mask mAP@50". */
export function metricName(metric: string): string {
  const [, place, rest] = /^(box|mask)_(.*)$/.exec(metric) ?? [];
  if (place !== undefined && rest !== undefined)
    return `${place === "box" ? "Box" : "Mask"} ${metricName(rest)}`;
  return NAMES[metric] ?? metric;
}

const OVERLAP = ["map50_95", "map50", "precision", "recall"];

/** The metrics of a task in groups that are drawn together, the one that counts most first. */
export const METRIC_GROUPS: Record<TaskType, readonly { title: string; metrics: readonly string[] }[]> = {
  detect: [{ title: "Metrics", metrics: OVERLAP }],
  segment: [
    { title: "Mask metrics", metrics: OVERLAP.map((metric) => `mask_${metric}`) },
    { title: "Box metrics", metrics: OVERLAP.map((metric) => `box_${metric}`) },
  ],
  classify: [{ title: "Accuracy", metrics: ["top1_accuracy", "top5_accuracy"] }],
};

/** A metric, 0 to 1, with three digits. */
export function metricValue(value: number | undefined): string {
  return value === undefined ? "–" : value.toFixed(3);
}
