import { Badge, type MantineColor } from "@mantine/core";
import type { FeedState } from "@/live/jobFeed";

const SHOWN: Partial<Record<FeedState, { text: string; color: MantineColor; title: string }>> = {
  live: { text: "Live", color: "teal", title: "Every epoch is shown as it happens." },
  reconnecting: {
    text: "Reconnecting…",
    color: "yellow",
    title: "The connection broke off. Nothing is lost: what happens meanwhile is shown afterwards.",
  },
  polling: {
    text: "Updating every few seconds",
    color: "yellow",
    title: "No live connection can be had, perhaps because of a proxy. The events are asked for instead.",
  },
};

/** Whether what is shown is up to date. */
export function FeedBadge({ state }: { state: FeedState }) {
  const shown = SHOWN[state];
  return (
    <span role="status">
      {shown && (
        <Badge color={shown.color} variant="dot" title={shown.title}>
          {shown.text}
        </Badge>
      )}
    </span>
  );
}
