import type { ImageProblem } from "@/images/imageService";

/** What people call the troubles that a list can be narrowed to. */
export const PROBLEM_LABELS: Record<ImageProblem, string> = {
  copy: "Same bytes as another",
  corrupt: "Cannot be decoded",
  without_class: "Annotation without class",
};

export const IMAGE_PROBLEMS = Object.keys(PROBLEM_LABELS) as ImageProblem[];
