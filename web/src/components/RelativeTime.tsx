import { exactTime, relativeTime } from "@/time/relativeTime";
import { useNow } from "@/time/useNow";

const STEP_MS = 10_000;

/** How long ago something was, kept up to date; the exact time on hover. */
export function RelativeTime({ time }: { time: Date | undefined }) {
  const now = useNow(STEP_MS);
  if (time === undefined) return <span aria-label="never">–</span>;
  return (
    <time dateTime={time.toISOString()} title={exactTime(time)}>
      {relativeTime(time, new Date(now))}
    </time>
  );
}
