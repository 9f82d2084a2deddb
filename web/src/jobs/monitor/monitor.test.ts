// @vitest-environment jsdom
import { expect, test } from "vitest";
import { NO_HISTORY } from "@/jobs/jobHistory";
import type { Job } from "@/jobs/jobService";
import { shares } from "@/jobs/monitor/confusion";
import { elapsedSeconds, overallPercent } from "@/jobs/monitor/progress";

const job = { status: "training", currentEpoch: 2, totalEpochs: 10 } as Job;

test("the part of the running epoch counts", () => {
  const stage = { stage: "training", epoch: 3, done: 1, total: 2 };
  expect(overallPercent(job, { ...NO_HISTORY, stage })).toBe(25);
  // An epoch that another attempt repeats does not go beyond what is complete.
  expect(overallPercent(job, { ...NO_HISTORY, stage: { ...stage, epoch: 2 } })).toBe(20);
  expect(overallPercent({ ...job, status: "completed" }, NO_HISTORY)).toBe(100);
});

test("time passes from the start to the end, and not before", () => {
  const startTime = new Date("2026-01-01T00:00:00Z");
  expect(elapsedSeconds({ ...job, startTime: undefined }, 0)).toBeUndefined();
  expect(elapsedSeconds({ ...job, startTime, endTime: undefined }, startTime.getTime() + 5000)).toBe(5);
  expect(elapsedSeconds({ ...job, startTime, endTime: new Date(startTime.getTime() + 7000) }, 0)).toBe(7);
});

test("shares of a confusion matrix are of each truth", () => {
  const matrix = { labels: ["a", "background"], rows: [{ counts: [3, 0] }, { counts: [1, 0] }] };
  expect(shares(matrix)).toEqual([
    [0.75, 0],
    [0.25, 0],
  ]);
});
