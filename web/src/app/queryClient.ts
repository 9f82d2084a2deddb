import { MutationCache, QueryCache, QueryClient } from "@tanstack/react-query";
import { isSignedOut, isTransient } from "@/api/apiError";
import { serverPresence } from "@/api/serverPresence";
import { notifyError } from "@/components/notify";
import { sessionQuery } from "@/session/sessionQuery";

const RETRIES = 3;

declare module "@tanstack/react-query" {
  interface Register {
    /** `quiet`: the component shows the error itself. */
    mutationMeta: { quiet?: boolean };
  }
}

export const queryClient = new QueryClient({
  defaultOptions: {
    queries: {
      staleTime: 5_000,
      retry: (failures, error) => isTransient(error) && failures < RETRIES,
    },
  },
  queryCache: new QueryCache({ onError: forgetSession }),
  mutationCache: new MutationCache({
    onError(error, _variables, _result, mutation) {
      forgetSession(error);
      if (!mutation.meta?.quiet) notifyError(error);
    },
  }),
});

// Whoever was waited for is back: what is on the screen may be old.
serverPresence.subscribe(() => {
  if (!serverPresence.isAway()) void queryClient.invalidateQueries();
});

function forgetSession(error: unknown): void {
  if (isSignedOut(error)) queryClient.setQueryData(sessionQuery.queryKey, null);
}
