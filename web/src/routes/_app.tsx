import { Center, Loader } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { createFileRoute, Navigate, redirect, useLocation } from "@tanstack/react-router";
import { AppFrame } from "@/app/AppFrame";
import { sessionQuery } from "@/session/sessionQuery";
import { useSignOut } from "@/session/useSignOut";

/** Everything for which one must be signed in. */
export const Route = createFileRoute("/_app")({
  // Nearly everybody needs the frame first: in a file of its own it would come a round trip later.
  codeSplitGroupings: [],
  beforeLoad: async ({ context, location }) => {
    const session = await context.queryClient.query({ ...sessionQuery, staleTime: "static" });
    if (session === null) throw redirect({ to: "/sign-in", search: nextOf(location.href) });
  },
  component: SignedInApp,
});

function SignedInApp() {
  const { data: session } = useQuery(sessionQuery);
  const { href } = useLocation();
  const { leaving, leave } = useSignOut();
  if (leaving) {
    return (
      <Center mih="100vh" component="main">
        <Loader aria-label="Signing out" />
      </Center>
    );
  }
  // The session may end while a page is open.
  if (session === null) {
    return <Navigate to="/sign-in" search={{ ...nextOf(href), problem: "The session has ended." }} replace />;
  }
  return <AppFrame onSignOut={leave} />;
}

function nextOf(href: string): { next?: string } {
  return href === "/" || href === "/projects" ? {} : { next: href };
}
