import { createFileRoute } from "@tanstack/react-router";
import { optionalOneOf } from "@/app/searchParams";
import { JobPage } from "@/jobs/JobPage";
import { jobQuery } from "@/jobs/jobQueries";
import { JOB_TABS } from "@/jobs/jobTabs";

export const Route = createFileRoute("/_app/training/jobs/$jobId")({
  validateSearch: (search) => optionalOneOf("tab", search.tab, JOB_TABS),
  loader: ({ context, params }) => context.queryClient.query(jobQuery(params.jobId)),
  component: Job,
});

function Job() {
  const { jobId } = Route.useParams();
  const { tab = "overview" } = Route.useSearch();
  const navigate = Route.useNavigate();
  return (
    <JobPage
      key={jobId}
      jobId={jobId}
      tab={tab}
      onTab={(chosen) =>
        void navigate({ search: chosen === "overview" ? {} : { tab: chosen }, replace: true })
      }
    />
  );
}
