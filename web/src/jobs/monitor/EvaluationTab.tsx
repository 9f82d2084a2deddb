import { Text } from "@mantine/core";
import { IconTable } from "@tabler/icons-react";
import { EmptyState } from "@/components/EmptyState";
import { Section } from "@/components/Section";
import type { JobHistory } from "@/jobs/jobHistory";
import { hasEnded, type Job } from "@/jobs/jobService";
import { ClassTable } from "@/jobs/monitor/ClassTable";
import { ConfusionTable } from "@/jobs/monitor/ConfusionTable";
import { ValidationPictures } from "@/jobs/monitor/ValidationPictures";

/** What validation found: each class, what was taken for what, and pictures. */
export function EvaluationTab({ job, history }: { job: Job; history: JobHistory }) {
  const newest = history.epochs.at(-1);
  const classes = history.evaluation?.classes ?? newest?.classes ?? [];
  const confusion = history.evaluation?.confusion;
  if (classes.length === 0 && job.modelId === "") {
    return (
      <EmptyState icon={IconTable} title="Nothing has been evaluated">
        {hasEnded(job.status)
          ? "The training ended before its first epoch was complete."
          : "What each class reaches is shown after the first epoch, the confusion matrix and pictures at the end."}
      </EmptyState>
    );
  }
  return (
    <>
      {classes.length > 0 && (
        <Section
          title={
            history.evaluation ? "Classes, by the best weights" : `Classes, after epoch ${newest?.epoch ?? 0}`
          }
        >
          <ClassTable classes={classes} />
        </Section>
      )}
      {confusion && (
        <Section
          title="Confusion matrix"
          aside={
            <Text size="xs" c="dimmed">
              Counts in the validation images
            </Text>
          }
        >
          <ConfusionTable matrix={confusion} />
        </Section>
      )}
      {job.modelId !== "" && <ValidationPictures modelId={job.modelId} />}
    </>
  );
}
