import { createFileRoute } from "@tanstack/react-router";
import { ComingImagePage, ImagePage } from "@/images/ImagePage";
import { imageQuery } from "@/images/imageQueries";
import { readImageFilter } from "@/images/imageSearch";
import { projectQuery } from "@/projects/projectQueries";

export const Route = createFileRoute("/_app/projects/$projectId/images/$imageId")({
  validateSearch: readImageFilter,
  loader: ({ context, params }) =>
    Promise.all([
      context.queryClient.query(projectQuery(params.projectId)),
      context.queryClient.query(imageQuery(params.imageId)),
    ]),
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
