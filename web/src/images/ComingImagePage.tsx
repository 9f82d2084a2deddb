import { Page } from "@/components/Page";
import { RowsSkeleton } from "@/components/RowsSkeleton";
import type { ImagePageProps } from "@/images/ImagePage";
import { ImageSteps } from "@/images/ImageSteps";

/** While the next picture comes: the steps stay, so that nobody has to wait between two keys. */
export function ComingImagePage({ projectId, imageId, filter }: ImagePageProps) {
  return (
    <Page title="Image" actions={<ImageSteps projectId={projectId} imageId={imageId} filter={filter} />}>
      <RowsSkeleton />
    </Page>
  );
}
