import { answerOf, api } from "@/api/client";
import type { Project as WireProject } from "@/api/generated/schema";
import { type Page, pageOf } from "@/api/page";
import { optionalTime } from "@/api/wireTime";

/** A named collection of images and their annotations. */
export interface Project {
  id: string;
  name: string;
  description: string;
  imageCount: number;
  annotationCount: number;
  createTime: Date | undefined;
  updateTime: Date | undefined;
}

/** What people write about a project. */
export type ProjectText = Pick<Project, "name" | "description">;

export async function listProjects(pageToken?: string): Promise<Page<Project>> {
  const query = pageToken === undefined ? {} : { page_token: pageToken };
  const answer = await answerOf(api.GET("/api/v1/projects", { params: { query } }));
  return pageOf(answer.projects, answer.next_page_token, readProject);
}

export async function getProject(projectId: string): Promise<Project> {
  const path = { project_id: projectId };
  return readProject(await answerOf(api.GET("/api/v1/projects/{project_id}", { params: { path } })));
}

export async function createProject({ name, description }: ProjectText): Promise<Project> {
  return readProject(await answerOf(api.POST("/api/v1/projects", { body: { name, description } })));
}

export async function updateProject(projectId: string, { name, description }: ProjectText): Promise<Project> {
  const path = { project_id: projectId };
  const body = { name, description };
  return readProject(await answerOf(api.PATCH("/api/v1/projects/{project_id}", { params: { path }, body })));
}

export async function deleteProject(projectId: string): Promise<void> {
  const path = { project_id: projectId };
  await answerOf(api.DELETE("/api/v1/projects/{project_id}", { params: { path } }));
}

/** Address of an archive with all images and annotations, in a label format of the API. */
export function exportAddress(projectId: string, format: string): string {
  return `/api/v1/projects/${projectId}/export?format=${format}`;
}

function readProject(wire: WireProject): Project {
  return {
    id: wire.id,
    name: wire.name,
    description: wire.description,
    imageCount: wire.image_count,
    annotationCount: wire.annotation_count,
    createTime: optionalTime(wire.create_time),
    updateTime: optionalTime(wire.update_time),
  };
}
