import { createFileRoute } from "@tanstack/react-router";
import { NotAllowedPage } from "@/app/NotAllowedPage";
import { optionalOneOf } from "@/app/searchParams";
import { NewJobPage } from "@/newJob/NewJobPage";
import { STEPS } from "@/newJob/steps";
import { RequireRole } from "@/session/RequireRole";

export const Route = createFileRoute("/_app/training/new")({
  validateSearch: (search) => optionalOneOf("step", search.step, STEPS),
  component: NewJob,
});

function NewJob() {
  const { step } = Route.useSearch();
  const navigate = Route.useNavigate();
  return (
    <RequireRole
      role="editor"
      otherwise={<NotAllowedPage>Trainings are started by people with the role editor.</NotAllowedPage>}
    >
      <NewJobPage step={step ?? "task"} onStep={(next) => void navigate({ search: { step: next } })} />
    </RequireRole>
  );
}
