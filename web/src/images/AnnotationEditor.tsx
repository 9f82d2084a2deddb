import { Autocomplete, Button, Group, Paper, Stack } from "@mantine/core";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { annotationsQuery, imageQuery } from "@/images/imageQueries";
import { type Annotation, setAnnotations } from "@/images/imageService";

const LONGEST = 200;

interface AnnotationEditorProps {
  imageId: string;
  /** All of the image: they are saved together. */
  annotations: Annotation[];
  edited: Annotation;
  labels: string[];
  onDone: () => void;
}

/** Changes the class of an annotation, or deletes it. */
export function AnnotationEditor({ imageId, annotations, edited, labels, onDone }: AnnotationEditorProps) {
  const [label, setLabel] = useState(edited.classLabel);
  const queryClient = useQueryClient();
  const saving = useMutation({
    mutationFn: (wanted: Annotation[]) => setAnnotations(imageId, wanted),
    onSuccess: async (saved) => {
      queryClient.setQueryData(annotationsQuery(imageId).queryKey, saved);
      onDone();
      await queryClient.invalidateQueries({ queryKey: imageQuery(imageId).queryKey, exact: true });
    },
  });
  return (
    <Paper
      withBorder
      p="sm"
      component="form"
      onSubmit={(event) => {
        event.preventDefault();
        const changed = { ...edited, classLabel: label.trim() };
        saving.mutate(annotations.map((annotation) => (annotation.id === edited.id ? changed : annotation)));
      }}
    >
      <Stack gap="xs">
        <Autocomplete
          label="Class of this annotation"
          data={labels}
          limit={100}
          maxLength={LONGEST}
          value={label}
          onChange={setLabel}
        />
        <Group gap="xs">
          <Button
            type="submit"
            size="xs"
            loading={saving.isPending}
            disabled={label.trim() === edited.classLabel}
          >
            Save
          </Button>
          <Button
            size="xs"
            variant="subtle"
            color="red"
            disabled={saving.isPending}
            onClick={() => {
              saving.mutate(annotations.filter(({ id }) => id !== edited.id));
            }}
          >
            Delete
          </Button>
          <Button size="xs" variant="default" onClick={onDone}>
            Close
          </Button>
        </Group>
      </Stack>
    </Paper>
  );
}
