import { Stack } from "@mantine/core";
import { IconPhotoPlus, IconPhotoSearch } from "@tabler/icons-react";
import { useInfiniteQuery, useQuery, useSuspenseQuery } from "@tanstack/react-query";
import { EmptyState } from "@/components/EmptyState";
import { ErrorNotice } from "@/components/ErrorNotice";
import { RowsSkeleton } from "@/components/RowsSkeleton";
import { ImageFilters } from "@/images/ImageFilters";
import { ImageGrid } from "@/images/ImageGrid";
import { imageListQuery } from "@/images/imageQueries";
import type { ImageFilter } from "@/images/imageService";
import { projectQuery } from "@/projects/projectQueries";
import { useMay } from "@/session/roles";
import { projectStatsQuery } from "@/statistics/statisticsQueries";

interface ProjectImagesProps {
  projectId: string;
  filter: ImageFilter;
  onFilter: (filter: ImageFilter) => void;
}

/** The images of a project that a filter lets through. */
export function ProjectImages({ projectId, filter, onFilter }: ProjectImagesProps) {
  const { data: project } = useSuspenseQuery(projectQuery(projectId));
  const { data: statistics } = useQuery(projectStatsQuery(projectId));
  const images = useInfiniteQuery(imageListQuery(projectId, filter));
  const mayImport = useMay("editor");
  const filtered = Object.keys(filter).length > 0;
  if (project.imageCount === 0 && !filtered) {
    return (
      <EmptyState icon={IconPhotoPlus} title="No images yet">
        {mayImport
          ? "Drop a zip or a folder of images onto this page, with the labels that your annotation tool wrote; the format is found by itself."
          : "Somebody who may edit this project can import images."}
      </EmptyState>
    );
  }
  return (
    <Stack gap="md">
      <ImageFilters
        filter={filter}
        labels={statistics?.classes.map(({ label }) => label).filter(Boolean) ?? []}
        onChange={onFilter}
      />
      {images.isPending && <RowsSkeleton rows={4} height={160} />}
      {images.isError && <ErrorNotice error={images.error} retry={() => void images.refetch()} />}
      {images.data?.length === 0 && (
        <EmptyState icon={IconPhotoSearch} title="No image is like that">
          Choose another class, name or condition.
        </EmptyState>
      )}
      {images.data && images.data.length > 0 && (
        <ImageGrid
          key={JSON.stringify(filter)}
          images={images.data}
          total={filtered ? 0 : project.imageCount}
          filter={filter}
          hasMore={images.hasNextPage}
          loading={images.isFetchingNextPage}
          load={() => void images.fetchNextPage()}
        />
      )}
    </Stack>
  );
}
