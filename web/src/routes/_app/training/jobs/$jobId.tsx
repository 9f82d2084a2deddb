import { createFileRoute } from "@tanstack/react-router";
import { JobPage } from "@/jobs/JobPage";
import { jobQuery } from "@/jobs/jobQueries";

export const Route = createFileRoute("/_app/training/jobs/$jobId")({
  loader: ({ context, params }) => context.queryClient.query(jobQuery(params.jobId)),
  component: Job,
});

function Job() {
  return <JobPage jobId={Route.useParams().jobId} />;
}
