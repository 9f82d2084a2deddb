import { Group, Progress, Stack, Text } from "@mantine/core";
import { RelativeTime } from "@/components/RelativeTime";
import type { JobHistory } from "@/jobs/jobHistory";
import { hasEnded, type Job } from "@/jobs/jobService";
import { elapsedSeconds, overallPercent } from "@/jobs/monitor/progress";
import { duration } from "@/time/duration";
import { useNow } from "@/time/useNow";

const STAGES: Readonly<Record<string, string>> = {
  downloading: "Bringing the data set to the worker",
  training: "Training",
  validating: "Validating",
};

/** How far the job is, what it does, and how long it takes. */
export function ProgressSection({ job, history }: { job: Job; history: JobHistory }) {
  const percent = overallPercent(job, history);
  const done = history.epochs.at(-1)?.epoch ?? job.currentEpoch;
  const active = !hasEnded(job.status);
  return (
    <Stack gap="xs" component="section" aria-label="Progress">
      <Group justify="space-between" gap="xs">
        <Text fw={600}>
          Epoch {done} of {job.totalEpochs}
        </Text>
        <Text size="sm" c="dimmed" component="div">
          <Times job={job} eta={history.epochs.at(-1)?.etaSeconds ?? job.etaSeconds} />
        </Text>
      </Group>
      <Progress.Root size="lg">
        <Progress.Section
          value={percent}
          color={job.status === "failed" ? "red" : job.status === "completed" ? "teal" : "forge"}
          animated={job.status === "training"}
          aria-label="Progress of the training"
        />
      </Progress.Root>
      <Group justify="space-between" gap="xs">
        <Text size="sm" c="dimmed">
          {active ? <Doing job={job} history={history} /> : `${Math.round(percent)} %`}
        </Text>
        {active && (
          <Text size="sm" c="dimmed">
            {percent.toFixed(percent < 10 ? 1 : 0)} %
          </Text>
        )}
      </Group>
    </Stack>
  );
}

function Times({ job, eta }: { job: Job; eta: number | undefined }) {
  const now = useNow(1000);
  const elapsed = elapsedSeconds(job, now);
  if (hasEnded(job.status)) {
    return (
      <>
        {elapsed !== undefined && `Took ${duration(elapsed)} · `}Ended <RelativeTime time={job.endTime} />
      </>
    );
  }
  if (elapsed === undefined) {
    return (
      <>
        Created <RelativeTime time={job.createTime} />
      </>
    );
  }
  const left = job.status === "training" && eta !== undefined ? ` · about ${duration(eta)} left` : "";
  return <>{`Running for ${duration(elapsed)}${left}`}</>;
}

function Doing({ job, history }: { job: Job; history: JobHistory }) {
  if (job.cancelRequested) return "Stopping";
  if (job.status === "pending") {
    return job.queuePosition === undefined
      ? "Waiting for a worker"
      : `Number ${job.queuePosition} in the queue`;
  }
  const { stage } = history;
  if (stage === undefined) return job.status === "preparing" ? "Preparing the data set" : "Training";
  const share = stage.total > 0 ? ` · ${Math.floor((stage.done / stage.total) * 100)} %` : "";
  const epoch = stage.epoch > 0 ? ` epoch ${stage.epoch}` : "";
  return `${STAGES[stage.stage] ?? stage.stage}${epoch}${share}`;
}
