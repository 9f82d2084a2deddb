import { Group, Progress, Text } from "@mantine/core";
import { bytes } from "@/components/bytes";

interface LoadBarProps {
  label: string;
  used: number;
  total: number;
  unit: "percent" | "bytes";
}

/** How much of something is in use. */
export function LoadBar({ label, used, total, unit }: LoadBarProps) {
  const percent = total > 0 ? Math.min(100, (used / total) * 100) : 0;
  return (
    <div>
      <Group justify="space-between" gap="xs">
        <Text size="xs" c="dimmed">
          {label}
        </Text>
        <Text size="xs">
          {unit === "percent" ? `${Math.round(used)} %` : `${bytes(used)} of ${bytes(total)}`}
        </Text>
      </Group>
      <Progress value={percent} size="sm" aria-label={label} />
    </div>
  );
}
