import { createFileRoute } from "@tanstack/react-router";
import { ModelPage } from "@/models/ModelPage";
import { modelQuery } from "@/models/modelQueries";

export const Route = createFileRoute("/_app/models/$modelId")({
  loader: ({ context, params }) => context.queryClient.query(modelQuery(params.modelId)),
  component: Model,
});

function Model() {
  return <ModelPage modelId={Route.useParams().modelId} />;
}
