import { expect, test, vi } from "vitest";
import { ServerPresence } from "@/api/serverPresence";

test("a server that is away is asked until it answers, and listeners hear of both", async () => {
  vi.useFakeTimers();
  const answers = [false, false, true];
  const presence = new ServerPresence(() => Promise.resolve(answers.shift() ?? true));
  const seen: boolean[] = [];
  presence.subscribe(() => seen.push(presence.isAway()));
  presence.missed();
  presence.missed();
  await vi.advanceTimersByTimeAsync(4000);
  expect(seen).toEqual([true]);
  await vi.advanceTimersByTimeAsync(2000);
  expect(seen).toEqual([true, false]);
  expect(vi.getTimerCount()).toBe(0);
  vi.useRealTimers();
});
