import { Anchor, Group, Stack, Tabs } from "@mantine/core";
import { useSuspenseQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { CopyableId } from "@/components/CopyableId";
import { Page } from "@/components/Page";
import { JobActions } from "@/jobs/JobActions";
import { jobQuery } from "@/jobs/jobQueries";
import { hasEnded } from "@/jobs/jobService";
import { JOB_TABS, type JobTab } from "@/jobs/jobTabs";
import { JobStatusBadge } from "@/jobs/JobStatusBadge";
import { EvaluationTab } from "@/jobs/monitor/EvaluationTab";
import { FeedBadge } from "@/jobs/monitor/FeedBadge";
import { JobNotices } from "@/jobs/monitor/JobNotices";
import { LogPanel } from "@/jobs/monitor/LogPanel";
import { OverviewTab } from "@/jobs/monitor/OverviewTab";
import { ProgressSection } from "@/jobs/monitor/ProgressSection";
import { useJobHistory } from "@/jobs/useJobHistory";

interface JobPageProps {
  jobId: string;
  tab: JobTab;
  onTab: (tab: JobTab) => void;
}

/** One training as it happens, or as it was. */
export function JobPage({ jobId, tab, onTab }: JobPageProps) {
  const { data: job } = useSuspenseQuery(jobQuery(jobId));
  const { history, state, logged } = useJobHistory(jobId);
  const ended = hasEnded(job.status);
  return (
    <Page
      title={job.name}
      back={
        <Anchor component={Link} to="/training/jobs" size="sm">
          All trainings
        </Anchor>
      }
      badge={
        <>
          <JobStatusBadge status={job.status} cancelRequested={job.cancelRequested} />
          <FeedBadge state={state} />
        </>
      }
      subtitle={
        <Group gap="sm">
          <CopyableId id={job.id} label="the job's id" />
          {job.description}
        </Group>
      }
      actions={<JobActions job={job} />}
    >
      <ProgressSection job={job} history={history} />
      <JobNotices job={job} history={history} />
      <Tabs
        value={tab}
        onChange={(chosen) => {
          onTab(JOB_TABS.find((known) => known === chosen) ?? "overview");
        }}
        keepMounted={false}
      >
        <Tabs.List mb="md">
          <Tabs.Tab value="overview">Overview</Tabs.Tab>
          <Tabs.Tab value="evaluation">Evaluation</Tabs.Tab>
          <Tabs.Tab value="log">Log</Tabs.Tab>
        </Tabs.List>
        <Tabs.Panel value="overview">
          <Stack gap="md">
            <OverviewTab job={job} history={history} />
          </Stack>
        </Tabs.Panel>
        <Tabs.Panel value="evaluation">
          <Stack gap="md">
            <EvaluationTab job={job} history={history} />
          </Stack>
        </Tabs.Panel>
        <Tabs.Panel value="log">
          <LogPanel jobId={jobId} logged={logged} ended={ended} />
        </Tabs.Panel>
      </Tabs>
    </Page>
  );
}
