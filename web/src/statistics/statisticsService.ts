import { answerOf, api } from "@/api/client";
import type { ClassStats as WireClass, ProjectStats as WireStats } from "@/api/generated/schema";

/** What a project holds of one class. Sizes are in pixels of the boxes around its annotations; 0 without any. */
export interface ClassStatistics {
  label: string;
  /** Images on which an annotation carries it. */
  imageCount: number;
  /** Images whose own class it is. */
  classifiedImageCount: number;
  /** Annotations by shape. */
  circleCount: number;
  boxCount: number;
  rectangleCount: number;
  polygonCount: number;
  meanWidth: number;
  meanHeight: number;
  shortestSide: number;
  longestSide: number;
}

/** What a project holds. */
export interface ProjectStatistics {
  imageCount: number;
  annotatedImageCount: number;
  classifiedImageCount: number;
  annotationCount: number;
  reviewedImageCount: number;
  sizeBytes: number;
  /** The most frequent first. */
  classes: ClassStatistics[];
}

export async function getProjectStatistics(projectId: string): Promise<ProjectStatistics> {
  const path = { project_id: projectId };
  return readStatistics(await answerOf(api.GET("/api/v1/projects/{project_id}/stats", { params: { path } })));
}

function readStatistics(wire: WireStats): ProjectStatistics {
  return {
    imageCount: wire.image_count,
    annotatedImageCount: wire.annotated_image_count,
    classifiedImageCount: wire.classified_image_count,
    annotationCount: wire.annotation_count,
    reviewedImageCount: wire.reviewed_image_count,
    sizeBytes: wire.size_bytes,
    classes: wire.classes.map(readClass),
  };
}

function readClass(wire: WireClass): ClassStatistics {
  return {
    label: wire.class_label,
    imageCount: wire.image_count,
    classifiedImageCount: wire.classified_image_count,
    circleCount: wire.circle_count,
    boxCount: wire.box_count,
    rectangleCount: wire.rectangle_count,
    polygonCount: wire.polygon_count,
    meanWidth: wire.mean_width,
    meanHeight: wire.mean_height,
    shortestSide: wire.shortest_side,
    longestSide: wire.longest_side,
  };
}
