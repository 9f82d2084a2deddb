import { Anchor, Card, Stack, Table, Text, Title } from "@mantine/core";
import { useInfiniteQuery, useQuery } from "@tanstack/react-query";
import type { ReactNode } from "react";
import { count } from "@/components/count";
import { ErrorNotice } from "@/components/ErrorNotice";
import { RowsSkeleton } from "@/components/RowsSkeleton";
import { SHAPE_LABELS } from "@/images/shape";
import { jobListQuery } from "@/jobs/jobQueries";
import { TASK_LABELS } from "@/jobs/taskTypes";
import type { Draft } from "@/newJob/draft";
import { estimatedSeconds } from "@/newJob/estimate";
import { HealthView } from "@/newJob/HealthView";
import { datasetSpec } from "@/newJob/jobRequest";
import { healthQuery } from "@/newJob/newJobQueries";
import { changedSettings } from "@/newJob/settingRules";
import { valueText } from "@/newJob/trainingSettings";
import { type Step, STEP_LABELS } from "@/newJob/steps";
import { duration } from "@/time/duration";

interface ReviewStepProps {
  draft: Draft;
  /** Leaves out the model that training would go on from. */
  onDrop: () => void;
  onStep: (step: Step) => void;
}

/** Everything at a glance, with what was found in the data and how long it may take. */
export function ReviewStep({ draft, onDrop, onStep }: ReviewStepProps) {
  const health = useQuery(healthQuery(datasetSpec(draft)));
  const before = useInfiniteQuery(jobListQuery({ status: "completed", task: draft.taskType }));
  const seconds = health.data && estimatedSeconds(draft, health.data.train_images, before.data ?? []);
  const { config } = draft;
  const changed = changedSettings(draft);
  return (
    <Stack gap="lg">
      <Card withBorder>
        <Table variant="vertical">
          <Table.Tbody>
            <Row name="Name" step="task" onStep={onStep}>
              {draft.name}
            </Row>
            <Row name="Task" step="task" onStep={onStep}>
              {TASK_LABELS[draft.taskType]}
            </Row>
            <Row name="Classes" step="classes" onStep={onStep}>
              {draft.classes.join(", ")}
              {draft.shapes.length > 0 &&
                ` from ${draft.shapes.map((shape) => SHAPE_LABELS[shape]).join(", ")}`}
            </Row>
            <Row name="Training" step="configuration" onStep={onStep}>
              {config.model}, {count(config.epochs ?? 0, "epoch")}, batches of {config.batchSize},{" "}
              {config.imageSize} pixels
            </Row>
            {changed.length > 0 && (
              <Row name="Advanced" step="configuration" onStep={onStep}>
                {changed.map(({ setting, value }) => `${setting.title} ${valueText(value)}`).join(", ")}
              </Row>
            )}
            {draft.baseModelId !== "" && (
              <Table.Tr>
                <Table.Th>Goes on from</Table.Th>
                <Table.Td>
                  the model {draft.baseModelId}{" "}
                  <Anchor component="button" type="button" size="sm" onClick={onDrop}>
                    Leave out
                  </Anchor>
                </Table.Td>
              </Table.Tr>
            )}
            <Table.Tr>
              <Table.Th>Time</Table.Th>
              <Table.Td>
                {seconds === undefined
                  ? "Not known: nothing like it has been trained here yet"
                  : `About ${duration(seconds)}, going by the last training of this model`}
              </Table.Td>
            </Table.Tr>
          </Table.Tbody>
        </Table>
      </Card>
      <section>
        <Title order={2} size="h4" mb="xs">
          Health of the data
        </Title>
        {health.isPending && (
          <>
            <Text size="sm" c="dimmed" mb="xs">
              The images and annotations are being checked.
            </Text>
            <RowsSkeleton rows={3} />
          </>
        )}
        {health.isError && <ErrorNotice error={health.error} retry={() => void health.refetch()} />}
        {health.data && <HealthView report={health.data} />}
      </section>
    </Stack>
  );
}

interface RowProps {
  name: string;
  /** Where it is changed. */
  step: Step;
  onStep: (step: Step) => void;
  children: ReactNode;
}

function Row({ name, step, onStep, children }: RowProps) {
  return (
    <Table.Tr>
      <Table.Th w={140}>
        <Anchor
          component="button"
          type="button"
          size="sm"
          title={`Change it in the step ${STEP_LABELS[step]}`}
          onClick={() => {
            onStep(step);
          }}
        >
          {name}
        </Anchor>
      </Table.Th>
      <Table.Td>{children}</Table.Td>
    </Table.Tr>
  );
}
