import { createFileRoute } from "@tanstack/react-router";
import { readImageFilter } from "@/images/imageSearch";
import { ProjectImages } from "@/projects/ProjectImages";

export const Route = createFileRoute("/_app/projects/$projectId/_page/")({
  validateSearch: readImageFilter,
  component: Images,
});

function Images() {
  const { projectId } = Route.useParams();
  const navigate = Route.useNavigate();
  return (
    <ProjectImages
      projectId={projectId}
      filter={Route.useSearch()}
      onFilter={(search) => void navigate({ search, replace: true, resetScroll: false })}
    />
  );
}
