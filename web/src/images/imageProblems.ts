import type { ImageProblem } from "@/images/imageService";

/** What people call the troubles that a list can be narrowed to. */
export const PROBLEM_LABELS: Record<ImageProblem, string> = {
  copy: "Same bytes as another",
  corrupt: "Cannot be decoded",
  without_class: "Annotation without class",
  tiny_annotation: "Tiny annotation",
  huge_annotation: "Huge annotation",
  clipped_annotation: "Annotation at the edge",
  annotation_outside: "Annotation outside the image",
  annotation_without_area: "Annotation without area",
  duplicate_annotation: "Annotation drawn twice",
};

export const IMAGE_PROBLEMS = Object.keys(PROBLEM_LABELS) as ImageProblem[];
