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

/** Annotations whose boxes have sides from these numbers of pixels to less than √2 times that. */
export interface BoxSizeCount {
  minWidth: number;
  minHeight: number;
  annotationCount: number;
}

/** Annotations whose boxes cover from this share of their image to less than √2 times that. */
export interface BoxAreaCount {
  minShare: number;
  annotationCount: number;
}

export interface ImageSizeCount {
  width: number;
  height: number;
  imageCount: number;
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
  boxSizes: BoxSizeCount[];
  /** The smallest first. */
  boxAreas: BoxAreaCount[];
  /** The most frequent ones, and first the most frequent one. */
  imageSizes: ImageSizeCount[];
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
    boxSizes: wire.box_sizes.map((size) => ({
      minWidth: size.min_width,
      minHeight: size.min_height,
      annotationCount: size.annotation_count,
    })),
    boxAreas: wire.box_areas.map((area) => ({
      minShare: area.min_share,
      annotationCount: area.annotation_count,
    })),
    imageSizes: wire.image_sizes.map(({ width, height, image_count }) => ({
      width,
      height,
      imageCount: image_count,
    })),
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
