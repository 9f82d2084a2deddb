import { Autocomplete, Button, Group, Paper, Stack } from "@mantine/core";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { annotationsQuery, imageQuery } from "@/images/imageQueries";
import { type Annotation, listAnnotations, setAnnotations } from "@/images/imageService";

const LONGEST = 200;

interface AnnotationEditorProps {
  imageId: string;
  edited: Annotation;
  labels: string[];
  onDone: () => void;
}

class AnnotationGone extends Error {
  constructor() {
    super("Somebody has changed the annotations of this image meanwhile. They are shown anew.");
  }
}

/** Changes the class of an annotation, or deletes it. */
export function AnnotationEditor({ imageId, edited, labels, onDone }: AnnotationEditorProps) {
  const [label, setLabel] = useState(edited.classLabel);
  const queryClient = useQueryClient();
  const saving = useMutation({
    mutationFn: async (change: (annotation: Annotation) => Annotation[]) => {
      // All of an image are set at once, and somebody else may have drawn more since they were read.
      const now = await listAnnotations(imageId);
      if (!now.some(({ id }) => id === edited.id)) throw new AnnotationGone();
      return await setAnnotations(
        imageId,
        now.flatMap((annotation) => (annotation.id === edited.id ? change(annotation) : [annotation])),
      );
    },
    onError: () => queryClient.invalidateQueries({ queryKey: annotationsQuery(imageId).queryKey }),
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
        saving.mutate((annotation) => [{ ...annotation, classLabel: label.trim() }]);
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
              saving.mutate(() => []);
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
