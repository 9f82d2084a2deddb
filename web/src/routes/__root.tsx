import type { QueryClient } from "@tanstack/react-query";
import { createRootRouteWithContext, Outlet, redirect } from "@tanstack/react-router";
import { ApiError } from "@/api/apiError";
import { signInByAddress } from "@/session/signInByAddress";

export interface RouterContext {
  queryClient: QueryClient;
}

export const Route = createRootRouteWithContext<RouterContext>()({
  beforeLoad: async ({ context }) => {
    try {
      await signInByAddress(context.queryClient);
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      throw redirect({ to: "/sign-in", search: { problem: error.message } });
    }
  },
  component: Outlet,
});
