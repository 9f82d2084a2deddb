import { Checkbox, Group, Text } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { useVirtualizer } from "@tanstack/react-virtual";
import { useEffect, useRef, useState } from "react";
import { count } from "@/components/count";
import { ErrorNotice } from "@/components/ErrorNotice";
import { RowsSkeleton } from "@/components/RowsSkeleton";
import { jobLogQuery } from "@/jobs/jobQueries";
import classes from "./LogPanel.module.css";

const LINE_PIXELS = 20;

/** What the training printed; follows the end of it while it grows. */
export function LogPanel({ jobId, logged, ended }: { jobId: string; logged: number; ended: boolean }) {
  const log = useQuery(jobLogQuery(jobId));
  const { refetch } = log;
  useEffect(() => {
    // Messages tell that there are more lines; the log itself is read where none of them is missing.
    void refetch();
  }, [logged, ended, refetch]);
  if (log.isPending) return <RowsSkeleton rows={8} height={LINE_PIXELS} />;
  if (log.isError) return <ErrorNotice error={log.error} retry={() => void log.refetch()} />;
  if (log.data.length === 0) return <Text c="dimmed">Nothing has been printed{ended ? "." : " yet."}</Text>;
  return <LogLines lines={log.data.map(({ text }) => text)} growing={!ended} />;
}

/** Lines of a log, of which only those in sight are drawn. */
export function LogLines({ lines, growing = false }: { lines: readonly string[]; growing?: boolean }) {
  const box = useRef<HTMLDivElement>(null);
  const [following, setFollowing] = useState(true);
  // eslint-disable-next-line react-hooks/incompatible-library -- nothing of it is handed to memoised components
  const rows = useVirtualizer({
    count: lines.length,
    getScrollElement: () => box.current,
    estimateSize: () => LINE_PIXELS,
    overscan: 20,
  });
  useEffect(() => {
    if (following) rows.scrollToIndex(lines.length - 1, { align: "end" });
  }, [following, lines.length, rows]);
  return (
    <div>
      <Group justify="space-between" mb="xs">
        <Text size="sm" c="dimmed">
          {count(lines.length, "line")}
        </Text>
        {growing && (
          <Checkbox
            label="Follow"
            checked={following}
            onChange={(event) => {
              setFollowing(event.currentTarget.checked);
            }}
          />
        )}
      </Group>
      <div
        ref={box}
        className={classes.log}
        tabIndex={0}
        role="log"
        aria-label="What the training printed"
        onWheel={(event) => {
          if (event.deltaY < 0) setFollowing(false);
        }}
      >
        <div className={classes.all} style={{ height: rows.getTotalSize() }}>
          {rows.getVirtualItems().map(({ index, start, key }) => (
            <div
              key={key}
              ref={rows.measureElement}
              data-index={index}
              className={classes.line}
              style={{ transform: `translateY(${start}px)` }}
            >
              {lines[index]}
            </div>
          ))}
        </div>
      </div>
    </div>
  );
}
