import { hashKey, queryOptions, type QueryClient } from "@tanstack/react-query";
import { getProvider } from "@/session/sessionService";

export const providerQuery = queryOptions({
  queryKey: ["session", "provider"],
  queryFn: getProvider,
  staleTime: Infinity,
});

/** Forgets all that was read for somebody who has left; the page for signing in, which is there by now, may go on. */
export function forgetEverything(queryClient: QueryClient): void {
  const kept = hashKey(providerQuery.queryKey);
  queryClient.removeQueries({ predicate: (query) => query.queryHash !== kept });
  queryClient.getMutationCache().clear();
}
