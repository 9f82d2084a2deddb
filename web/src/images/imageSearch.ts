import { optionalOneOf, optionalText } from "@/app/searchParams";
import { IMAGE_PROBLEMS } from "@/images/imageProblems";
import type { ImageFilter } from "@/images/imageService";
import { SHAPE_TYPES } from "@/images/shape";

/** The filter that an address holds. */
export function readImageFilter(search: Record<string, unknown>): ImageFilter {
  return {
    ...optionalText("class", search.class),
    ...optionalText("name", search.name),
    ...optionalOneOf("shape", search.shape, SHAPE_TYPES),
    ...optionalOneOf("problem", search.problem, IMAGE_PROBLEMS),
    ...optionalOneOf("labels", search.labels, ["with", "without"] as const),
    ...optionalOneOf("reviewed", search.reviewed, ["yes", "no"] as const),
  };
}
