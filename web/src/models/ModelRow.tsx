import { Anchor, Checkbox, Group, Table, Text } from "@mantine/core";
import { Link } from "@tanstack/react-router";
import { count } from "@/components/count";
import { RelativeTime } from "@/components/RelativeTime";
import { METRIC_GROUPS, metricName, metricValue } from "@/jobs/metricNames";
import { TASK_LABELS } from "@/jobs/taskTypes";
import { ActiveBadge } from "@/models/ActiveBadge";
import type { Model } from "@/models/modelService";
import styles from "./ModelRow.module.css";

const SHOWN_METRICS = 2;

interface ModelRowProps {
  model: Model;
  /** To be compared. */
  chosen: boolean;
  /** Undefined when no more can be chosen. */
  onChoose: ((chosen: boolean) => void) | undefined;
}

/** A model in the list, with the metrics that count most. */
export function ModelRow({ model, chosen, onChoose }: ModelRowProps) {
  const metrics = METRIC_GROUPS[model.taskType][0]?.metrics.slice(0, SHOWN_METRICS) ?? [];
  const classes = count(model.classes.length, "class", "classes");
  return (
    <Table.Tr>
      <Table.Td w={40}>
        <Checkbox
          aria-label={`Compare ${model.name}`}
          checked={chosen}
          disabled={onChoose === undefined}
          onChange={(event) => onChoose?.(event.currentTarget.checked)}
        />
      </Table.Td>
      <Table.Td>
        <Group gap="xs">
          <Anchor
            fw={500}
            className={styles.name}
            renderRoot={(props) => <Link to="/models/$modelId" params={{ modelId: model.id }} {...props} />}
          >
            {model.name}
          </Anchor>
          {model.isActive && <ActiveBadge />}
        </Group>
        {/* What has columns of its own on wider screens. */}
        <Text size="xs" c="dimmed" hiddenFrom="sm">
          {TASK_LABELS[model.taskType]} · {model.architecture} · {classes} ·{" "}
          <RelativeTime time={model.createTime} />
        </Text>
      </Table.Td>
      <Table.Td visibleFrom="sm">
        {TASK_LABELS[model.taskType]}
        <Text size="xs" c="dimmed">
          {model.architecture}
        </Text>
      </Table.Td>
      <Table.Td>
        {metrics.map((name) => (
          <Text key={name} size="sm">
            {metricName(name)} {metricValue(model.metrics[name])}
          </Text>
        ))}
      </Table.Td>
      <Table.Td title={model.classes.join(", ")} visibleFrom="sm">
        {classes}
      </Table.Td>
      <Table.Td visibleFrom="sm">
        <RelativeTime time={model.createTime} />
      </Table.Td>
    </Table.Tr>
  );
}
