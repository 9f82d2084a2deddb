import { createRouter } from "@tanstack/react-router";
import { NotFoundPage } from "@/app/NotFoundPage";
import { PageError } from "@/app/PageError";
import { queryClient } from "@/app/queryClient";
import { RowsSkeleton } from "@/components/RowsSkeleton";
import { routeTree } from "@/routeTree.gen";

export const router = createRouter({
  routeTree,
  context: { queryClient },
  defaultPreload: "intent",
  // Data is TanStack Query's matter, and so is how old it may be.
  defaultPreloadStaleTime: 0,
  defaultPendingMs: 150,
  scrollRestoration: true,
  // What a route does not read is dropped from its address.
  search: { strict: true },
  defaultPendingComponent: () => <RowsSkeleton />,
  defaultErrorComponent: PageError,
  defaultNotFoundComponent: () => <NotFoundPage />,
});

declare module "@tanstack/react-router" {
  interface Register {
    router: typeof router;
  }
}
