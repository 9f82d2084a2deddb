import { createFileRoute } from "@tanstack/react-router";
import { optionalOneOf } from "@/app/searchParams";
import { JobListPage } from "@/jobs/JobListPage";
import { JOB_STATUSES, type JobFilter, TASK_TYPES } from "@/jobs/jobService";

export const Route = createFileRoute("/_app/training/jobs/")({
  validateSearch: (search): JobFilter => ({
    ...optionalOneOf("status", search.status, JOB_STATUSES),
    ...optionalOneOf("task", search.task, TASK_TYPES),
  }),
  component: Jobs,
});

function Jobs() {
  const filter = Route.useSearch();
  const navigate = Route.useNavigate();
  return <JobListPage filter={filter} onFilter={(search) => void navigate({ search, replace: true })} />;
}
