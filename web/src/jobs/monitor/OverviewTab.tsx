import { Section } from "@/components/Section";
import type { JobHistory } from "@/jobs/jobHistory";
import type { Job } from "@/jobs/jobService";
import { Curves } from "@/jobs/monitor/Curves";
import { JobFacts } from "@/jobs/monitor/JobFacts";
import { MetricTiles } from "@/jobs/monitor/MetricTiles";

/** Figures, curves, and what the job is made of. */
export function OverviewTab({ job, history }: { job: Job; history: JobHistory }) {
  const newest = history.epochs.at(-1);
  const metrics = history.evaluation?.metrics ?? newest?.metrics ?? job.latestMetrics;
  const measured = Object.keys(metrics).length > 0;
  return (
    <>
      {measured && (
        <Section title={titleOf(history)}>
          <MetricTiles taskType={job.taskType} metrics={metrics} />
        </Section>
      )}
      <Curves taskType={job.taskType} history={history} />
      <JobFacts job={job} />
    </>
  );
}

function titleOf({ evaluation, epochs }: JobHistory): string {
  if (evaluation) return `Metrics of the best weights, from epoch ${evaluation.bestEpoch}`;
  const newest = epochs.at(-1);
  return newest ? `Metrics after epoch ${newest.epoch}` : "Latest metrics";
}
