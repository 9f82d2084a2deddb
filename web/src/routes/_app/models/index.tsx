import { createFileRoute } from "@tanstack/react-router";
import { ahead } from "@/app/ahead";
import { optionalOneOf } from "@/app/searchParams";
import { TASK_TYPES } from "@/jobs/jobService";
import { ModelListPage } from "@/models/ModelListPage";
import { modelListQuery } from "@/models/modelQueries";
import type { ModelFilter } from "@/models/modelService";

export const Route = createFileRoute("/_app/models/")({
  validateSearch: (search): ModelFilter => optionalOneOf("task", search.task, TASK_TYPES),
  loaderDeps: ({ search }) => search,
  loader: ({ context, deps }) => {
    ahead(context.queryClient.infiniteQuery(modelListQuery(deps)));
  },
  component: Models,
});

function Models() {
  const filter = Route.useSearch();
  const navigate = Route.useNavigate();
  return <ModelListPage filter={filter} onFilter={(search) => void navigate({ search, replace: true })} />;
}
