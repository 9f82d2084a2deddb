import { useInfiniteQuery } from "@tanstack/react-query";
import { useEffect } from "react";
import { imageListQuery } from "@/images/imageQueries";
import type { ImageFilter } from "@/images/imageService";

const LOOK_AHEAD = 20;

export interface Neighbours {
  before: string | undefined;
  after: string | undefined;
  /** Number of the image in the list, from 1; undefined where it is not among those that are loaded. */
  number: number | undefined;
}

/**
 * Tells what is beside any image of the list that `imageId` was opened from. More of the list is loaded as its end comes
 * near that image.
 */
export function useNeighbours(
  projectId: string,
  filter: ImageFilter,
  imageId: string,
): (imageId: string) => Neighbours {
  const { data, hasNextPage, isFetchingNextPage, fetchNextPage } = useInfiniteQuery(
    imageListQuery(projectId, filter),
  );
  const placeOf = (sought: string) => data?.findIndex(({ id }) => id === sought) ?? -1;
  const nearEnd = data !== undefined && placeOf(imageId) >= data.length - LOOK_AHEAD;
  useEffect(() => {
    if (nearEnd && hasNextPage && !isFetchingNextPage) void fetchNextPage();
  }, [nearEnd, hasNextPage, isFetchingNextPage, fetchNextPage]);
  return (sought) => {
    const place = placeOf(sought);
    if (data === undefined || place < 0) return { before: undefined, after: undefined, number: undefined };
    return { before: data[place - 1]?.id, after: data[place + 1]?.id, number: place + 1 };
  };
}
