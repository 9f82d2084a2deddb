import { Group, Paper, Text } from "@mantine/core";
import type { Measures } from "@/jobs/jobEvents";
import type { TaskType } from "@/jobs/jobService";
import { METRIC_GROUPS, metricName, metricValue } from "@/jobs/metricNames";

/** The metrics of a task as figures. */
export function MetricTiles({ taskType, metrics }: { taskType: TaskType; metrics: Measures }) {
  const names = METRIC_GROUPS[taskType].flatMap((group) => group.metrics);
  return (
    <Group gap="sm">
      {names.map((name) => (
        <Paper key={name} withBorder px="md" py="xs">
          <Text size="xs" c="dimmed">
            {metricName(name)}
          </Text>
          <Text size="xl" fw={600} ff="monospace">
            {metricValue(metrics[name])}
          </Text>
        </Paper>
      ))}
    </Group>
  );
}
