import { createFileRoute, redirect } from "@tanstack/react-router";
import { FEWEST_COMPARED, MOST_COMPARED } from "@/models/comparison";
import { ModelComparisonPage } from "@/models/ModelComparisonPage";
import { comparisonQuery } from "@/models/modelQueries";

export const Route = createFileRoute("/_app/models/compare")({
  validateSearch: (search): { models: string[] } => ({
    models: textsOf(search.models).slice(0, MOST_COMPARED),
  }),
  beforeLoad: ({ search }) => {
    if (search.models.length < FEWEST_COMPARED) throw redirect({ to: "/models" });
  },
  loaderDeps: ({ search }) => search,
  loader: ({ context, deps }) => context.queryClient.query(comparisonQuery(deps.models)),
  component: Comparison,
});

function Comparison() {
  return <ModelComparisonPage modelIds={Route.useSearch().models} />;
}

function textsOf(given: unknown): string[] {
  return Array.isArray(given) ? [...new Set(given.filter((value) => typeof value === "string"))] : [];
}
