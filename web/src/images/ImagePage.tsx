import { Anchor, Grid, Stack } from "@mantine/core";
import { useQuery, useSuspenseQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { useState } from "react";
import { ErrorNotice } from "@/components/ErrorNotice";
import { Page } from "@/components/Page";
import { RowsSkeleton } from "@/components/RowsSkeleton";
import { AnnotatedImage } from "@/images/AnnotatedImage";
import { AnnotationList } from "@/images/AnnotationList";
import { classColors } from "@/images/classColor";
import { DeleteImageButton } from "@/images/DeleteImageButton";
import { partsOf } from "@/images/filename";
import { ImageDetails } from "@/images/ImageDetails";
import { ImageSteps } from "@/images/ImageSteps";
import { annotationsQuery, imageQuery } from "@/images/imageQueries";
import type { ImageFilter } from "@/images/imageService";
import { projectQuery } from "@/projects/projectQueries";
import { projectStatsQuery } from "@/statistics/statisticsQueries";
import { RequireRole } from "@/session/RequireRole";

export interface ImagePageProps {
  projectId: string;
  imageId: string;
  /** Of the list that the image was opened from. */
  filter: ImageFilter;
}

/** One picture, large, with everything that is known about it. */
export function ImagePage({ projectId, imageId, filter }: ImagePageProps) {
  const { data: image } = useSuspenseQuery(imageQuery(imageId));
  const { data: project } = useSuspenseQuery(projectQuery(projectId));
  const { data: stats } = useQuery(projectStatsQuery(projectId));
  const annotations = useQuery(annotationsQuery(imageId));
  const { folder, base } = partsOf(image.filename);
  const [chosen, setChosen] = useState<string | undefined>();
  const labels = stats?.classes.map(({ label }) => label).filter(Boolean) ?? [];
  const colorOf = classColors(labels);
  return (
    <Page
      title={base}
      subtitle={folder}
      back={
        <Anchor
          size="sm"
          renderRoot={(props) => (
            <Link to="/projects/$projectId" params={{ projectId }} search={filter} {...props} />
          )}
        >
          {project.name}
        </Anchor>
      }
      actions={
        <>
          <ImageSteps projectId={projectId} imageId={imageId} filter={filter} />
          <RequireRole role="editor">
            <DeleteImageButton image={image} filter={filter} />
          </RequireRole>
        </>
      }
    >
      <Grid gap="lg">
        <Grid.Col span={{ base: 12, md: 8, xl: 9 }}>
          <AnnotatedImage
            key={image.id}
            image={image}
            annotations={annotations.data ?? []}
            colorOf={colorOf}
            chosen={chosen}
            onChoose={setChosen}
          />
        </Grid.Col>
        <Grid.Col span={{ base: 12, md: 4, xl: 3 }}>
          <Stack gap="lg">
            <ImageDetails image={image} labels={labels} />
            {annotations.isPending && <RowsSkeleton rows={4} />}
            {annotations.isError && (
              <ErrorNotice error={annotations.error} retry={() => void annotations.refetch()} />
            )}
            {annotations.data && (
              <AnnotationList
                imageId={imageId}
                annotations={annotations.data}
                labels={labels}
                colorOf={colorOf}
                chosen={chosen}
                onChoose={setChosen}
              />
            )}
          </Stack>
        </Grid.Col>
      </Grid>
    </Page>
  );
}
