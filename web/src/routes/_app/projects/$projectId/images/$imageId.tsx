import { createFileRoute } from "@tanstack/react-router";
import { ahead } from "@/app/ahead";
import { ComingImagePage } from "@/images/ComingImagePage";
import { ImagePage } from "@/images/ImagePage";
import { annotationsQuery, imageQuery } from "@/images/imageQueries";
import { readImageFilter } from "@/images/imageSearch";
import { projectQuery } from "@/projects/projectQueries";
import { projectStatsQuery } from "@/statistics/statisticsQueries";

export const Route = createFileRoute("/_app/projects/$projectId/images/$imageId")({
  validateSearch: readImageFilter,
  loader: ({ context: { queryClient }, params: { projectId, imageId } }) => {
    ahead(queryClient.query(annotationsQuery(imageId)), queryClient.query(projectStatsQuery(projectId)));
    return Promise.all([queryClient.query(projectQuery(projectId)), queryClient.query(imageQuery(imageId))]);
  },
  component: Image,
  pendingComponent: ComingImage,
});

function Image() {
  const { projectId, imageId } = Route.useParams();
  return <ImagePage projectId={projectId} imageId={imageId} filter={Route.useSearch()} />;
}

function ComingImage() {
  const { projectId, imageId } = Route.useParams();
  return <ComingImagePage projectId={projectId} imageId={imageId} filter={Route.useSearch()} />;
}
