import { expect, test } from "vitest";
import { duration } from "@/time/duration";
import { relativeTime } from "@/time/relativeTime";

const now = new Date("2026-01-15T12:00:00Z");
const ago = (seconds: number) => relativeTime(new Date(now.getTime() - seconds * 1000), now);

test.each([
  [0, "just now"],
  [44, "just now"],
  [60, "1 minute ago"],
  [59 * 60, "59 minutes ago"],
  [3600, "1 hour ago"],
  [26 * 3600, "yesterday"],
  [6 * 86400, "6 days ago"],
  [60 * 86400, "2 months ago"],
  [800 * 86400, "2 years ago"],
  [-7200, "in 2 hours"],
])("%d seconds before now is %s", (seconds, shown) => {
  expect(ago(seconds)).toBe(shown);
});

test.each([
  [0, "0 s"],
  [59.4, "59 s"],
  [60, "1 min"],
  [200, "3 min 20 s"],
  [7500, "2 h 5 min"],
  [3599.6, "1 h"],
  [100800, "1 d 4 h"],
])("%d seconds last %s", (seconds, shown) => {
  expect(duration(seconds)).toBe(shown);
});
