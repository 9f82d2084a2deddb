import { createFileRoute, useRouter } from "@tanstack/react-router";
import { SignInPage } from "@/app/SignInPage";
import { optionalText } from "@/app/searchParams";

export const Route = createFileRoute("/sign-in")({
  validateSearch: (search) => ({
    ...optionalText("problem", search.problem),
    ...optionalText("next", search.next),
  }),
  component: SignIn,
});

function SignIn() {
  const { problem, next } = Route.useSearch();
  const router = useRouter();
  return (
    <SignInPage
      problem={problem}
      onSignedIn={() => {
        // A path of this app, whatever the address says.
        router.history.replace(next?.startsWith("/") && !next.startsWith("//") ? next : "/");
      }}
    />
  );
}
