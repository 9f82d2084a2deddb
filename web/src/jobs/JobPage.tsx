import { useSuspenseQuery } from "@tanstack/react-query";
import { CopyableId } from "@/components/CopyableId";
import { Page } from "@/components/Page";
import { jobQuery } from "@/jobs/jobQueries";
import { JobStatusBadge } from "@/jobs/JobStatusBadge";

/** One training as it happens, or as it was. */
export function JobPage({ jobId }: { jobId: string }) {
  const { data: job } = useSuspenseQuery(jobQuery(jobId));
  return (
    <Page
      title={job.name}
      badge={<JobStatusBadge status={job.status} />}
      subtitle={<CopyableId id={job.id} />}
    >
      {job.description}
    </Page>
  );
}
