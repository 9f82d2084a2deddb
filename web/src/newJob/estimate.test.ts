import { expect, test } from "vitest";
import type { Job } from "@/jobs/jobService";
import { newDraft } from "@/newJob/draft";
import { estimatedSeconds } from "@/newJob/estimate";

const BEFORE = {
  taskType: "detect",
  config: { model: "yolov8n", image_size: 640 },
  dataset: { trainImages: 100 },
  currentEpoch: 10,
  startTime: new Date(0),
  endTime: new Date(60_000),
} as Job;

test("twice the images and ten times the epochs take twenty times as long", () => {
  expect(estimatedSeconds(newDraft(), 200, [BEFORE])).toBeCloseTo(1200);
});

test("another model says nothing about this one", () => {
  const draft = newDraft();
  const other = { ...draft, config: { ...draft.config, model: "yolo11s" } };
  expect(estimatedSeconds(other, 200, [BEFORE])).toBeUndefined();
});
