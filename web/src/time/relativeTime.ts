const MINUTE = 60;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

const UNITS: readonly [Intl.RelativeTimeFormatUnit, number, number][] = [
  // unit, its seconds, seconds below which it is used
  ["minute", MINUTE, HOUR],
  ["hour", HOUR, DAY],
  ["day", DAY, 30 * DAY],
  ["month", 30.44 * DAY, 365 * DAY],
  ["year", 365.25 * DAY, Infinity],
];
const JUST_NOW_SECONDS = 45;
const format = new Intl.RelativeTimeFormat("en", { numeric: "auto" });
const exact = new Intl.DateTimeFormat(undefined, { dateStyle: "full", timeStyle: "medium" });

/** "just now", "5 minutes ago", "yesterday"; also "in 2 hours". */
export function relativeTime(time: Date, now: Date): string {
  const seconds = (time.getTime() - now.getTime()) / 1000;
  const distance = Math.abs(seconds);
  if (distance < JUST_NOW_SECONDS) return "just now";
  const [unit, length] = UNITS.find(([, , below]) => distance < below) ?? ["year", 365.25 * DAY];
  const amount = Math.round(distance / length) || 1;
  return format.format(seconds < 0 ? -amount : amount, unit);
}

/** Date and time to the second, in the words of the browser's language. */
export function exactTime(time: Date): string {
  return exact.format(time);
}
