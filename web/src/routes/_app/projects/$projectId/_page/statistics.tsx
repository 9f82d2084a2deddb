import { createFileRoute } from "@tanstack/react-router";
import { StatisticsPage } from "@/statistics/StatisticsPage";

export const Route = createFileRoute("/_app/projects/$projectId/_page/statistics")({ component: Statistics });

function Statistics() {
  return <StatisticsPage projectId={Route.useParams().projectId} />;
}
