import { createFileRoute } from "@tanstack/react-router";
import { ahead } from "@/app/ahead";
import { StatisticsPage } from "@/statistics/StatisticsPage";
import { projectStatsQuery } from "@/statistics/statisticsQueries";

export const Route = createFileRoute("/_app/projects/$projectId/_page/statistics")({
  loader: ({ context, params }) => {
    ahead(context.queryClient.query(projectStatsQuery(params.projectId)));
  },
  component: Statistics,
});

function Statistics() {
  return <StatisticsPage projectId={Route.useParams().projectId} />;
}
