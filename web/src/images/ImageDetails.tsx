import { Autocomplete, Stack, Switch, Table, TextInput } from "@mantine/core";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import type { ReactNode } from "react";
import { problemOf } from "@/components/FormProblem";
import { bytes } from "@/components/bytes";
import { CopyableId } from "@/components/CopyableId";
import { RelativeTime } from "@/components/RelativeTime";
import { SavedText } from "@/components/SavedText";
import { imageQuery } from "@/images/imageQueries";
import { type ImageChange, type ProjectImage, updateImage } from "@/images/imageService";
import { useMay } from "@/session/roles";

const LONGEST = 200;

/** What is known about an image; its class, group and review can be changed. */
export function ImageDetails({ image, labels }: { image: ProjectImage; labels: string[] }) {
  const mayChange = useMay("editor");
  const queryClient = useQueryClient();
  const changing = useMutation({
    mutationFn: (change: ImageChange) => updateImage(image.id, change),
    onSuccess: (changed) => {
      queryClient.setQueryData(imageQuery(image.id).queryKey, changed);
    },
  });
  return (
    <Stack gap="sm">
      {mayChange && (
        <>
          <SavedText
            key={`class ${image.id} ${image.imageClass}`}
            saved={image.imageClass}
            save={(imageClass) => {
              changing.mutate({ imageClass });
            }}
          >
            {(field) => (
              <Autocomplete
                label="Image class"
                description="Of the whole picture, for classification"
                data={labels}
                limit={100}
                maxLength={LONGEST}
                error={problemOf(changing.error, "image_class")}
                {...field}
              />
            )}
          </SavedText>
          <SavedText
            key={`group ${image.id} ${image.group}`}
            saved={image.group}
            save={(group) => {
              changing.mutate({ group });
            }}
          >
            {(field) => (
              <TextInput
                label="Group"
                description="Images of one group, such as the frames of one video, stay on one side of the split"
                maxLength={LONGEST}
                error={problemOf(changing.error, "group")}
                {...field}
                onChange={(event) => {
                  field.onChange(event.currentTarget.value);
                }}
              />
            )}
          </SavedText>
          <Switch
            label="Reviewed: its labels are complete"
            checked={image.reviewed}
            onChange={(event) => {
              changing.mutate({ reviewed: event.currentTarget.checked });
            }}
          />
        </>
      )}
      <Table variant="vertical" layout="auto">
        <Table.Tbody>
          {!mayChange && image.imageClass !== "" && <Detail name="Image class">{image.imageClass}</Detail>}
          {!mayChange && image.group !== "" && <Detail name="Group">{image.group}</Detail>}
          {!mayChange && <Detail name="Reviewed">{image.reviewed ? "Yes" : "No"}</Detail>}
          <Detail name="Size">
            {image.width} × {image.height} pixels
          </Detail>
          <Detail name="File">
            {image.format.toUpperCase()}, {bytes(image.sizeBytes)}
          </Detail>
          <Detail name="Added">
            <RelativeTime time={image.createTime} />
          </Detail>
          <Detail name="Id">
            <CopyableId id={image.id} label="image id" />
          </Detail>
        </Table.Tbody>
      </Table>
    </Stack>
  );
}

function Detail({ name, children }: { name: string; children: ReactNode }) {
  return (
    <Table.Tr>
      <Table.Th w={110}>{name}</Table.Th>
      <Table.Td>{children}</Table.Td>
    </Table.Tr>
  );
}
