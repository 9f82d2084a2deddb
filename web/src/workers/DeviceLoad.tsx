import { Badge, Group, Text } from "@mantine/core";
import { bytes } from "@/components/bytes";
import { LoadBar } from "@/workers/LoadBar";
import type { Device } from "@/workers/workerService";

/** A device, and of a GPU how busy it is. */
export function DeviceLoad({ device }: { device: Device }) {
  return (
    <div>
      <Group justify="space-between" gap="xs">
        <Text size="sm" fw={500}>
          {device.name === "cpu" ? "CPU" : `GPU ${device.name}`} · {device.model}
        </Text>
        {device.busy && <Badge color="orange">Used by others</Badge>}
        {device.name !== "cpu" && (
          <Text size="xs" c="dimmed">
            {bytes(device.memoryBytes)}
          </Text>
        )}
      </Group>
      {device.load && (
        <>
          <LoadBar label="Computing" used={device.load.utilizationPercent} total={100} unit="percent" />
          <LoadBar
            label="GPU memory"
            used={device.load.memoryUsedBytes}
            total={device.memoryBytes}
            unit="bytes"
          />
        </>
      )}
    </div>
  );
}
