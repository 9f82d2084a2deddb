import { queryOptions } from "@tanstack/react-query";
import { infiniteList } from "@/api/infiniteList";
import { getProject, listProjects } from "@/projects/projectService";

/** Everything about projects in the cache begins with this. */
export const PROJECTS = ["projects"] as const;

export const projectListQuery = infiniteList([...PROJECTS, "list"], listProjects);

export function projectQuery(projectId: string) {
  return queryOptions({ queryKey: [...PROJECTS, projectId], queryFn: () => getProject(projectId) });
}
