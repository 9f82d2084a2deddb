import { Group, Progress, Table, Text } from "@mantine/core";
import { Link } from "@tanstack/react-router";
import { RelativeTime } from "@/components/RelativeTime";
import { ScrollTable } from "@/components/ScrollTable";
import { JobStatusBadge } from "@/jobs/JobStatusBadge";
import { hasEnded, type Job } from "@/jobs/jobService";
import { TASK_LABELS } from "@/jobs/taskTypes";
import { duration } from "@/time/duration";
import classes from "./JobTable.module.css";

export function JobTable({ jobs }: { jobs: Job[] }) {
  return (
    <ScrollTable label="Jobs" minWidth={280} verticalSpacing="sm" highlightOnHover>
      <Table.Thead>
        <Table.Tr>
          <Table.Th>Job</Table.Th>
          <Table.Th>Status</Table.Th>
          <Table.Th>Epochs</Table.Th>
          <Table.Th visibleFrom="sm">Task</Table.Th>
          <Table.Th visibleFrom="sm">Worker</Table.Th>
          <Table.Th visibleFrom="sm">Created</Table.Th>
        </Table.Tr>
      </Table.Thead>
      <Table.Tbody>
        {jobs.map((job) => (
          <JobRow key={job.id} job={job} />
        ))}
      </Table.Tbody>
    </ScrollTable>
  );
}

function JobRow({ job }: { job: Job }) {
  return (
    <Table.Tr className={classes.row}>
      <Table.Td>
        <Link to="/training/jobs/$jobId" params={{ jobId: job.id }} className={classes.name}>
          {job.name}
        </Link>
        {/* What has columns of its own on wider screens. */}
        <Text size="xs" c="dimmed" hiddenFrom="sm">
          {TASK_LABELS[job.taskType]} · {job.config.model} · {job.workerName && `${job.workerName} · `}
          <RelativeTime time={job.createTime} />
        </Text>
      </Table.Td>
      <Table.Td>
        <JobStatusBadge status={job.status} cancelRequested={job.cancelRequested} />
      </Table.Td>
      <Table.Td>
        <EpochProgress job={job} />
      </Table.Td>
      <Table.Td visibleFrom="sm">
        {TASK_LABELS[job.taskType]}
        <Text size="xs" c="dimmed">
          {job.config.model}
        </Text>
      </Table.Td>
      <Table.Td visibleFrom="sm">{job.workerName || "–"}</Table.Td>
      <Table.Td visibleFrom="sm">
        <RelativeTime time={job.createTime} />
      </Table.Td>
    </Table.Tr>
  );
}

function EpochProgress({ job }: { job: Job }) {
  if (job.status === "pending" && job.queuePosition !== undefined)
    return <>{`Number ${job.queuePosition} in the queue`}</>;
  const done = `${job.currentEpoch} of ${job.totalEpochs}`;
  if (hasEnded(job.status)) return <>{done}</>;
  return (
    <div className={classes.progress}>
      <Group justify="space-between" gap="xs" wrap="nowrap">
        <Text size="xs">{done}</Text>
        {job.etaSeconds !== undefined && (
          <Text size="xs" c="dimmed">
            {duration(job.etaSeconds)} left
          </Text>
        )}
      </Group>
      <Progress value={job.progressPercent} size="sm" aria-label={`Progress of ${job.name}`} />
    </div>
  );
}
