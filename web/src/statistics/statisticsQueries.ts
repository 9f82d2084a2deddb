import { queryOptions } from "@tanstack/react-query";
import { PROJECTS } from "@/projects/projectQueries";
import { getProjectStatistics } from "@/statistics/statisticsService";

export function projectStatsQuery(projectId: string) {
  return queryOptions({
    queryKey: [...PROJECTS, projectId, "statistics"],
    queryFn: () => getProjectStatistics(projectId),
  });
}
