import { Anchor, SimpleGrid, Text } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { ErrorNotice } from "@/components/ErrorNotice";
import { RowsSkeleton } from "@/components/RowsSkeleton";
import { Section } from "@/components/Section";
import { artifactsQuery } from "@/models/artifactQueries";
import type { Artifact } from "@/models/artifactService";
import classes from "./ValidationPictures.module.css";

/** What the names of validation pictures begin with. */
const OF_VALIDATION = "val_batch";

/** Pictures that the training left: validation images with labels and predictions, then its plots. */
export function ValidationPictures({ modelId }: { modelId: string }) {
  const artifacts = useQuery(artifactsQuery(modelId));
  if (artifacts.isPending) return <RowsSkeleton rows={2} height={200} />;
  if (artifacts.isError)
    return <ErrorNotice error={artifacts.error} retry={() => void artifacts.refetch()} />;
  const pictures = artifacts.data.filter(({ contentType }) => contentType.startsWith("image/"));
  const ofValidation = pictures.filter(({ name }) => name.startsWith(OF_VALIDATION));
  const plots = pictures.filter(({ name }) => !name.startsWith(OF_VALIDATION));
  return (
    <>
      {ofValidation.length > 0 && (
        <Section title="Validation images, as labelled and as predicted">
          <Pictures pictures={ofValidation} />
        </Section>
      )}
      {plots.length > 0 && (
        <Section title="Plots of the training">
          <Pictures pictures={plots} />
        </Section>
      )}
    </>
  );
}

function Pictures({ pictures }: { pictures: readonly Artifact[] }) {
  return (
    <SimpleGrid cols={{ base: 1, sm: 2, xl: 3 }}>
      {pictures.map(({ name, url }) => (
        <figure key={name} className={classes.picture}>
          <Anchor href={url} target="_blank">
            <img src={url} alt={name} loading="lazy" />
          </Anchor>
          <Text component="figcaption" size="xs" c="dimmed">
            {name}
          </Text>
        </figure>
      ))}
    </SimpleGrid>
  );
}
