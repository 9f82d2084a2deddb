import { createFileRoute } from "@tanstack/react-router";
import { ahead } from "@/app/ahead";
import { imageListQuery } from "@/images/imageQueries";
import { readImageFilter } from "@/images/imageSearch";
import { ProjectImages } from "@/projects/ProjectImages";
import { projectStatsQuery } from "@/statistics/statisticsQueries";

export const Route = createFileRoute("/_app/projects/$projectId/_page/")({
  validateSearch: readImageFilter,
  loaderDeps: ({ search }) => search,
  loader: ({ context: { queryClient }, params: { projectId }, deps }) => {
    ahead(
      queryClient.infiniteQuery(imageListQuery(projectId, deps)),
      queryClient.query(projectStatsQuery(projectId)),
    );
  },
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
