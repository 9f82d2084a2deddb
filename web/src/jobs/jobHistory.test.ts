// @vitest-environment jsdom
import { expect, test } from "vitest";
import type { Epoch, JobEvent } from "@/jobs/jobEvents";
import { isLastEvent, parseEvent } from "@/jobs/jobEvents";
import { bestEpoch, extended, NO_HISTORY } from "@/jobs/jobHistory";

const envelope = { sequence: 1, time: undefined };

function epoch(number: number, changes: Partial<Epoch> = {}): JobEvent {
  const measured = {
    epoch: number,
    totalEpochs: 10,
    metrics: {},
    trainLoss: 1,
    valLoss: 1,
    learningRate: 0.01,
    seconds: 1,
    etaSeconds: undefined,
    attempt: 1,
    time: undefined,
    imagesPerSecond: undefined,
    best: false,
    classes: [],
  };
  return { ...envelope, kind: "epoch", epoch: { ...measured, ...changes } };
}

test("an epoch that another attempt repeats is there once, as measured last", () => {
  const first = extended(NO_HISTORY, [epoch(1), epoch(2, { trainLoss: 0.5 }), epoch(3)]);
  const history = extended(first, [
    {
      ...envelope,
      kind: "retry",
      reason: "WORKER_LOST",
      message: "The worker was lost.",
      hint: "Look whether its machine is up.",
      resumeEpoch: 1,
    },
    epoch(2, { trainLoss: 0.4, attempt: 2 }),
  ]);
  expect(history.epochs.map(({ epoch }) => epoch)).toEqual([1, 2, 3]);
  expect(history.epochs[1]?.trainLoss).toBe(0.4);
  expect(history.epochs.map(({ attempt }) => attempt)).toEqual([1, 2, 1]);
  expect(history.retries.map(({ hint }) => hint)).toEqual(["Look whether its machine is up."]);
});

test("a warning is dated by the epoch after which it came, also where an attempt has gone back", () => {
  const warning: JobEvent = {
    ...envelope,
    kind: "warning",
    warning: { reason: "PLATEAU", message: "Nothing was gained.", hint: "" },
  };
  const retry = { reason: "WORKER_LOST", message: "The worker was lost.", hint: "", resumeEpoch: 1 };
  const before = extended(NO_HISTORY, [warning, epoch(1), epoch(2), warning, epoch(3)]);
  const history = extended(before, [{ ...envelope, kind: "retry", ...retry }, warning, epoch(2), warning]);
  expect(history.warnings.map(({ afterEpoch }) => afterEpoch)).toEqual([0, 2, 1, 2]);
});

test("the progress of an epoch ends with it", () => {
  const running = extended(NO_HISTORY, [
    { ...envelope, kind: "status", status: "training" },
    {
      sequence: undefined,
      time: undefined,
      kind: "progress",
      stage: "training",
      epoch: 1,
      done: 3,
      total: 9,
    },
  ]);
  expect(running.stage).toEqual({ stage: "training", epoch: 1, done: 3, total: 9 });
  expect(extended(running, [epoch(1)]).stage).toBeUndefined();
});

test("the best epoch is the last one that was better than all before", () => {
  const history = extended(NO_HISTORY, [epoch(1, { best: true }), epoch(2, { best: true }), epoch(3)]);
  expect(bestEpoch(history)).toBe(2);
  expect(bestEpoch(NO_HISTORY)).toBeUndefined();
});

test("a message of the WebSocket is read, and the last one is known", () => {
  const text = '{"type":"status_change","sequence":9,"job_id":"j","attempt":1,"time":"2026-01-01T00:00:00Z",';
  const event = parseEvent(`${text}"status":"completed","previous_status":"training"}`);
  expect(event).toEqual({
    kind: "status",
    status: "completed",
    sequence: 9,
    time: new Date("2026-01-01T00:00:00Z"),
  });
  expect(isLastEvent(event)).toBe(true);
});

test("an epoch has the attempt and the time of its message", () => {
  const text =
    '{"type":"epoch_complete","sequence":9,"job_id":"j","attempt":3,"time":"2026-01-01T00:00:00Z",';
  const event = parseEvent(`${text}"epoch":2,"total_epochs":5,"metrics":{},"class_metrics":[]}`);
  expect(event.kind === "epoch" && [event.epoch.attempt, event.epoch.time]).toEqual([
    3,
    new Date("2026-01-01T00:00:00Z"),
  ]);
});
