import type { QueryClient } from "@tanstack/react-query";
import { createRootRouteWithContext, Outlet, redirect } from "@tanstack/react-router";
import { signInByAddress } from "@/session/signInByAddress";

export interface RouterContext {
  queryClient: QueryClient;
}

export const Route = createRootRouteWithContext<RouterContext>()({
  beforeLoad: async ({ context }) => {
    const problem = await signInByAddress(context.queryClient);
    if (problem !== undefined) throw redirect({ to: "/sign-in", search: { problem } });
  },
  component: Outlet,
});
