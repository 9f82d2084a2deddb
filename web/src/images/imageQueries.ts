import { queryOptions } from "@tanstack/react-query";
import { infiniteList } from "@/api/infiniteList";
import { getImage, type ImageFilter, listAnnotations, listImages } from "@/images/imageService";

/** Everything about images in the cache begins with this. */
export const IMAGES = ["images"] as const;

export function imageListQuery(projectId: string, filter: ImageFilter) {
  return infiniteList([...IMAGES, "list", projectId, filter], (token) =>
    listImages(projectId, filter, token),
  );
}

export function imageQuery(imageId: string) {
  return queryOptions({ queryKey: [...IMAGES, imageId], queryFn: () => getImage(imageId) });
}

export function annotationsQuery(imageId: string) {
  return queryOptions({
    queryKey: [...IMAGES, imageId, "annotations"],
    queryFn: () => listAnnotations(imageId),
  });
}
