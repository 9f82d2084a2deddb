import { createFileRoute } from "@tanstack/react-router";
import { optionalOneOf } from "@/app/searchParams";
import { TASK_TYPES } from "@/jobs/jobService";
import { ModelListPage } from "@/models/ModelListPage";
import type { ModelFilter } from "@/models/modelService";

export const Route = createFileRoute("/_app/models/")({
  validateSearch: (search): ModelFilter => optionalOneOf("task", search.task, TASK_TYPES),
  component: Models,
});

function Models() {
  const filter = Route.useSearch();
  const navigate = Route.useNavigate();
  return <ModelListPage filter={filter} onFilter={(search) => void navigate({ search, replace: true })} />;
}
