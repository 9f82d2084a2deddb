import { queryOptions } from "@tanstack/react-query";
import { infiniteList } from "@/api/infiniteList";
import { firstImages } from "@/images/imageService";
import { getProject, listProjects } from "@/projects/projectService";

/** Everything about projects in the cache begins with this. */
export const PROJECTS = ["projects"] as const;

const COVER_IMAGES = 4;

export const projectListQuery = infiniteList([...PROJECTS, "list"], listProjects);

export function projectQuery(projectId: string) {
  return queryOptions({ queryKey: [...PROJECTS, projectId], queryFn: () => getProject(projectId) });
}

/** The images that stand for a project in a list. */
export function projectCoverQuery(projectId: string) {
  return queryOptions({
    queryKey: [...PROJECTS, projectId, "cover"],
    queryFn: () => firstImages(projectId, COVER_IMAGES),
    staleTime: 60_000,
  });
}
