import { createFileRoute } from "@tanstack/react-router";
import { optionalOneOf } from "@/app/searchParams";
import { NewJobPage } from "@/newJob/NewJobPage";
import { STEPS } from "@/newJob/steps";

export const Route = createFileRoute("/_app/training/new")({
  validateSearch: (search) => optionalOneOf("step", search.step, STEPS),
  component: NewJob,
});

function NewJob() {
  const { step } = Route.useSearch();
  const navigate = Route.useNavigate();
  return <NewJobPage step={step ?? "task"} onStep={(next) => void navigate({ search: { step: next } })} />;
}
