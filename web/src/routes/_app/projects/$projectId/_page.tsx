import { createFileRoute } from "@tanstack/react-router";
import { ProjectPage } from "@/projects/ProjectPage";
import { projectQuery } from "@/projects/projectQueries";

export const Route = createFileRoute("/_app/projects/$projectId/_page")({
  loader: ({ context, params }) => context.queryClient.query(projectQuery(params.projectId)),
  component: Project,
});

function Project() {
  return <ProjectPage projectId={Route.useParams().projectId} />;
}
