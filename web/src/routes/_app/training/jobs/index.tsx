import { createFileRoute } from "@tanstack/react-router";
import { ahead } from "@/app/ahead";
import { optionalOneOf } from "@/app/searchParams";
import { JobListPage } from "@/jobs/JobListPage";
import { jobListQuery } from "@/jobs/jobQueries";
import { JOB_STATUSES, type JobFilter, TASK_TYPES } from "@/jobs/jobService";

export const Route = createFileRoute("/_app/training/jobs/")({
  validateSearch: (search): JobFilter => ({
    ...optionalOneOf("status", search.status, JOB_STATUSES),
    ...optionalOneOf("task", search.task, TASK_TYPES),
  }),
  loaderDeps: ({ search }) => search,
  loader: ({ context, deps }) => {
    ahead(context.queryClient.infiniteQuery(jobListQuery(deps)));
  },
  component: Jobs,
});

function Jobs() {
  const filter = Route.useSearch();
  const navigate = Route.useNavigate();
  return <JobListPage filter={filter} onFilter={(search) => void navigate({ search, replace: true })} />;
}
