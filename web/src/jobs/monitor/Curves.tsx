import { SimpleGrid, Text } from "@mantine/core";
import { useMemo } from "react";
import { count } from "@/components/count";
import { Section } from "@/components/Section";
import { bestEpoch, type JobHistory } from "@/jobs/jobHistory";
import type { TaskType } from "@/jobs/jobService";
import { METRIC_GROUPS, metricName } from "@/jobs/metricNames";
import { Plot } from "@/plot/Plot";

const SHARE: readonly [number, number] = [0, 1];

/** Losses and metrics over the epochs, with the best epoch marked. */
export function Curves({ taskType, history }: { taskType: TaskType; history: JobHistory }) {
  const { epochs } = history;
  const best = bestEpoch(history);
  const mark = useMemo(() => (best === undefined ? undefined : { x: best, label: `best: ${best}` }), [best]);
  const x = useMemo(() => epochs.map(({ epoch }) => epoch), [epochs]);
  const losses = useMemo(
    () => [
      { label: "Training loss", values: epochs.map(({ trainLoss }) => trainLoss) },
      { label: "Validation loss", values: epochs.map(({ valLoss }) => valLoss) },
    ],
    [epochs],
  );
  const groups = useMemo(
    () =>
      METRIC_GROUPS[taskType].map(({ title, metrics }) => ({
        title,
        series: metrics.map((name) => ({
          label: metricName(name).replace(/^(Box|Mask) /, ""),
          values: epochs.map(({ metrics: measured }) => measured[name]),
        })),
      })),
    [epochs, taskType],
  );
  if (epochs.length === 0) return null;
  return (
    <SimpleGrid cols={{ base: 1, md: 2 }}>
      <Section title="Loss" aside={<ZoomHint />}>
        <Plot
          label={`Training and validation loss by epoch, ${count(x.length, "epoch")}`}
          x={x}
          series={losses}
          mark={mark}
        />
      </Section>
      {groups.map(({ title, series }) => (
        <Section key={title} title={title}>
          <Plot
            label={`${title} by epoch, ${count(x.length, "epoch")}`}
            x={x}
            series={series}
            mark={mark}
            range={SHARE}
          />
        </Section>
      ))}
    </SimpleGrid>
  );
}

function ZoomHint() {
  return (
    <Text size="xs" c="dimmed" visibleFrom="sm">
      Drag to zoom, double-click to see all
    </Text>
  );
}
