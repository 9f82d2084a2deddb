import { infiniteQueryOptions, keepPreviousData, type QueryKey } from "@tanstack/react-query";
import type { Page } from "@/api/page";

/** Options of an infinite query over a list of the API. While a filter changes, the list before stays visible. */
export function infiniteList<Item>(
  queryKey: QueryKey,
  fetchPage: (token: string | undefined) => Promise<Page<Item>>,
) {
  return infiniteQueryOptions({
    queryKey,
    queryFn: ({ pageParam }: { pageParam: string | undefined }) => fetchPage(pageParam),
    initialPageParam: undefined as string | undefined,
    getNextPageParam: (page: Page<Item>) => page.nextPageToken,
    select: (data) => data.pages.flatMap((page) => page.items),
    placeholderData: keepPreviousData,
  });
}
