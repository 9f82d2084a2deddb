import { Anchor, Badge, Code, Group, SimpleGrid } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { bytes } from "@/components/bytes";
import { CopyableId } from "@/components/CopyableId";
import { Facts } from "@/components/Facts";
import { RelativeTime } from "@/components/RelativeTime";
import { Section } from "@/components/Section";
import type { Job } from "@/jobs/jobService";
import { TASK_LABELS } from "@/jobs/taskTypes";
import { changedOf } from "@/newJob/changedOf";
import { workerListQuery } from "@/workers/workerQueries";

/** Where the job runs, on what, and how. */
export function JobFacts({ job }: { job: Job }) {
  return (
    <SimpleGrid cols={{ base: 1, sm: 2, lg: 3 }}>
      <DatasetFacts job={job} />
      <WorkerFacts job={job} />
      <SettingFacts job={job} />
    </SimpleGrid>
  );
}

function DatasetFacts({ job: { dataset } }: { job: Job }) {
  if (dataset === undefined) return null;
  return (
    <Section title="Data set">
      <Facts
        facts={[
          ["Images", `${dataset.trainImages} to train, ${dataset.valImages} to validate`],
          [
            "Classes",
            <Group key="classes" gap={4} justify="flex-end">
              {dataset.classes.map((label) => (
                <Badge key={label} color="gray">
                  {label}
                </Badge>
              ))}
            </Group>,
          ],
          ["Id", <CopyableId key="id" id={dataset.id} label="the data set's id" />],
          ["Digest", <CopyableId key="digest" id={dataset.digest} label="the data set's digest" />],
        ]}
      />
    </Section>
  );
}

function WorkerFacts({ job }: { job: Job }) {
  const { data: workers } = useQuery(workerListQuery);
  const worker = workers?.find(
    ({ currentJobId, name }) => currentJobId === job.id || name === job.workerName,
  );
  const devices = worker?.devices.map(({ name, model, memoryBytes }) =>
    name === "cpu" ? model : `${model}, ${bytes(memoryBytes)}`,
  );
  return (
    <Section title="Worker">
      <Facts
        facts={[
          ["Name", job.workerName || "None yet"],
          ["Device", devices?.join("; ") ?? "–"],
          ["Attempt", String(job.attempt || "–")],
          ["Created", <RelativeTime key="created" time={job.createTime} />],
          ["Started", <RelativeTime key="started" time={job.startTime} />],
          ...(job.restartedFromJobId
            ? [["Repeats", <JobLink key="repeats" jobId={job.restartedFromJobId} />] as const]
            : []),
        ]}
      />
    </Section>
  );
}

function JobLink({ jobId }: { jobId: string }) {
  return (
    <Anchor component={Link} to={`/training/jobs/${jobId}`} size="sm">
      {jobId.slice(-8)}
    </Anchor>
  );
}

function SettingFacts({ job }: { job: Job }) {
  const { config } = job;
  return (
    <Section title="Settings">
      <Facts
        facts={[
          ["Task", TASK_LABELS[job.taskType]],
          ["Model", <Code key="model">{config.model}</Code>],
          ["Epochs", config.epochs],
          ["Batch size", config.batch_size],
          ["Image size", `${config.image_size ?? "–"} px`],
          ["Learning rate", config.learning_rate ?? "Chosen by the optimizer"],
          ["Optimizer", config.optimizer ?? "auto"],
          ...changedOf(config).map(({ title, value }) => [title, value] as const),
        ]}
      />
    </Section>
  );
}
