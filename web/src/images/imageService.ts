import { answerOf, api } from "@/api/client";
import type {
  Annotation as WireAnnotation,
  Image as WireImage,
  ImageFormat as WireFormat,
  ImageProblem as WireProblem,
} from "@/api/generated/schema";
import { type Page, pageOf } from "@/api/page";
import { optionalTime } from "@/api/wireTime";
import { readShape, type Shape, type ShapeType, writeShape } from "@/images/shape";

export type ImageProblem = Exclude<WireProblem, "unspecified">;

/** One picture of a project; its size is that of the upright picture, in pixels. */
export interface ProjectImage {
  id: string;
  projectId: string;
  /** With folders where it came with any. */
  filename: string;
  sizeBytes: number;
  format: WireFormat;
  width: number;
  height: number;
  /** Class of the whole image; empty when it has none. */
  imageClass: string;
  /** Images of one group stay on one side of a split; empty for none. */
  group: string;
  annotationCount: number;
  reviewed: boolean;
  createTime: Date | undefined;
}

/** A labelled shape on an image. */
export interface Annotation {
  id: string;
  /** Empty while nobody has chosen one. */
  classLabel: string;
  shape: Shape;
  /** 0 to 1; undefined where a person drew it. */
  confidence: number | undefined;
  source: string;
}

/** Which images a list shows; a part of the page's address. */
export interface ImageFilter {
  class?: string;
  name?: string;
  shape?: ShapeType;
  problem?: ImageProblem;
  labels?: "with" | "without";
  reviewed?: "yes" | "no";
}

/** What can be changed about an image; what is left out stays. */
export interface ImageChange {
  imageClass?: string;
  group?: string;
  reviewed?: boolean;
}

const PAGE_SIZE = 500;

export async function listImages(
  projectId: string,
  filter: ImageFilter,
  pageToken?: string,
): Promise<Page<ProjectImage>> {
  const query = {
    page_size: PAGE_SIZE,
    ...(filter.class !== undefined && { class_label: filter.class }),
    ...(filter.name !== undefined && { filename_contains: filter.name }),
    ...(filter.shape && { annotation_type: filter.shape }),
    ...(filter.problem && { problem: filter.problem }),
    ...(filter.labels && { unlabelled: filter.labels === "without" }),
    ...(filter.reviewed && { reviewed: filter.reviewed === "yes" }),
    ...(pageToken !== undefined && { page_token: pageToken }),
  };
  const path = { project_id: projectId };
  const answer = await answerOf(api.GET("/api/v1/projects/{project_id}/images", { params: { path, query } }));
  return pageOf(answer.images, answer.next_page_token, readImage);
}

/** The first images of a project, at most so many. */
export async function firstImages(projectId: string, most: number): Promise<ProjectImage[]> {
  const path = { project_id: projectId };
  const query = { page_size: most };
  const answer = await answerOf(api.GET("/api/v1/projects/{project_id}/images", { params: { path, query } }));
  return answer.images.map(readImage);
}

export async function getImage(imageId: string): Promise<ProjectImage> {
  const path = { image_id: imageId };
  return readImage(await answerOf(api.GET("/api/v1/images/{image_id}", { params: { path } })));
}

export async function updateImage(imageId: string, change: ImageChange): Promise<ProjectImage> {
  const path = { image_id: imageId };
  const body = {
    ...(change.imageClass !== undefined && { image_class: change.imageClass }),
    ...(change.group !== undefined && { group: change.group }),
    ...(change.reviewed !== undefined && { reviewed: change.reviewed }),
  };
  return readImage(await answerOf(api.PATCH("/api/v1/images/{image_id}", { params: { path }, body })));
}

export async function deleteImage(imageId: string): Promise<void> {
  const path = { image_id: imageId };
  await answerOf(api.DELETE("/api/v1/images/{image_id}", { params: { path } }));
}

export async function listAnnotations(imageId: string): Promise<Annotation[]> {
  const path = { image_id: imageId };
  const answer = await answerOf(api.GET("/api/v1/images/{image_id}/annotations", { params: { path } }));
  return answer.annotations.map(readAnnotation);
}

/** Replaces all annotations of an image; answers them with their new ids. */
export async function setAnnotations(imageId: string, annotations: Annotation[]): Promise<Annotation[]> {
  const path = { image_id: imageId };
  const body = { annotations: annotations.map(writeAnnotation) };
  const answer = await answerOf(api.PUT("/api/v1/images/{image_id}/annotations", { params: { path }, body }));
  return answer.annotations.map(readAnnotation);
}

/** Address of an image's bytes, as they came. */
export function contentAddress(imageId: string): string {
  return `/api/v1/images/${imageId}/content`;
}

/** Address of a small picture of an image, `size` pixels at its longer side. */
export function thumbnailAddress(imageId: string, size: number): string {
  return `/api/v1/images/${imageId}/thumbnail?size=${size}`;
}

function readImage(wire: WireImage): ProjectImage {
  return {
    id: wire.id,
    projectId: wire.project_id,
    filename: wire.filename,
    sizeBytes: wire.size_bytes,
    format: wire.format,
    width: wire.width,
    height: wire.height,
    imageClass: wire.image_class,
    group: wire.group,
    annotationCount: wire.annotation_count,
    reviewed: wire.reviewed,
    createTime: optionalTime(wire.create_time),
  };
}

function readAnnotation(wire: WireAnnotation): Annotation {
  return {
    id: wire.id,
    classLabel: wire.class_label ?? "",
    shape: readShape(wire),
    confidence: wire.confidence,
    source: wire.source ?? "",
  };
}

function writeAnnotation({ classLabel, shape, confidence, source }: Annotation): WireAnnotation {
  const wire: Omit<WireAnnotation, "id"> = {
    class_label: classLabel,
    ...writeShape(shape),
    ...(confidence !== undefined && { confidence }),
    source,
  };
  // The id is read-only, hence always there in answers and refused in requests, which the type cannot say.
  return wire as WireAnnotation;
}
