import { Anchor, Badge, Card, Group, Stack, Text } from "@mantine/core";
import { Link } from "@tanstack/react-router";
import { CopyableId } from "@/components/CopyableId";
import { RelativeTime } from "@/components/RelativeTime";
import { DeviceLoad } from "@/workers/DeviceLoad";
import { LoadBar } from "@/workers/LoadBar";
import type { Worker } from "@/workers/workerService";

/** One worker: what it trains on, how busy its machine is, what it does. */
export function WorkerCard({ worker }: { worker: Worker }) {
  return (
    <Card withBorder padding="lg" component="article" aria-label={`Worker ${worker.name}`}>
      <Stack gap="sm">
        <Group justify="space-between">
          <Text fw={600} component="h2" size="lg">
            {worker.name}
          </Text>
          <WorkerState worker={worker} />
        </Group>
        {worker.devices.map((device) => (
          <DeviceLoad key={device.name} device={device} />
        ))}
        {worker.cpuPercent !== undefined && (
          <LoadBar label="Processors" used={worker.cpuPercent} total={100} unit="percent" />
        )}
        {worker.memory && (
          <LoadBar
            label="Memory"
            used={worker.memory.usedBytes}
            total={worker.memory.totalBytes}
            unit="bytes"
          />
        )}
        <Text size="xs" c="dimmed">
          {Object.entries(worker.versions)
            .map(([name, version]) => `${name} ${version}`)
            .join(" · ")}
        </Text>
        <Group justify="space-between">
          <CopyableId id={worker.id} label="the worker's id" />
          <Text size="xs" c="dimmed">
            Heard of <RelativeTime time={worker.heartbeatTime} />
          </Text>
        </Group>
      </Stack>
    </Card>
  );
}

function WorkerState({ worker }: { worker: Worker }) {
  if (!worker.online) return <Badge color="red">Away</Badge>;
  if (worker.currentJobId === "") return <Badge color="gray">Idle</Badge>;
  return (
    <Group gap="xs">
      <Anchor size="sm" component={Link} to={`/training/jobs/${worker.currentJobId}`}>
        Its job
      </Anchor>
      <Badge>Training</Badge>
    </Group>
  );
}
