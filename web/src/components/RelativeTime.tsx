import { useSyncExternalStore } from "react";
import { exactTime, relativeTime } from "@/time/relativeTime";

const TICK_MS = 10_000;

/** How long ago something was, kept up to date; the exact time on hover. */
export function RelativeTime({ time }: { time: Date | undefined }) {
  const now = useSyncExternalStore(onTick, currentTick);
  if (time === undefined) return <span aria-label="never">–</span>;
  return (
    <time dateTime={time.toISOString()} title={exactTime(time)}>
      {relativeTime(time, new Date(now))}
    </time>
  );
}

function onTick(listener: () => void): () => void {
  const timer = setInterval(listener, TICK_MS);
  return () => {
    clearInterval(timer);
  };
}

function currentTick(): number {
  return Math.ceil(Date.now() / TICK_MS) * TICK_MS;
}
