import { Button, Group, Stack, Textarea, TextInput } from "@mantine/core";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { FormProblem, problemOf } from "@/components/FormProblem";
import { PROJECTS } from "@/projects/projectQueries";
import type { Project, ProjectText } from "@/projects/projectService";

const LONGEST_NAME = 200;

interface ProjectFormProps {
  /** What the fields begin with. */
  initial: ProjectText;
  save: (wanted: ProjectText) => Promise<Project>;
  /** The verb on the button. */
  verb: string;
  onSaved: (project: Project) => void;
  onCancel: () => void;
}

/** Name and description, of a new project or one that is there. */
export function ProjectForm({ initial, save, verb, onSaved, onCancel }: ProjectFormProps) {
  const [name, setName] = useState(initial.name);
  const [description, setDescription] = useState(initial.description);
  const queryClient = useQueryClient();
  const saving = useMutation({
    mutationFn: save,
    meta: { quiet: true },
    onSuccess: async (project) => {
      await queryClient.invalidateQueries({ queryKey: PROJECTS });
      onSaved(project);
    },
  });
  return (
    <form
      onSubmit={(event) => {
        event.preventDefault();
        saving.mutate({ name: name.trim(), description: description.trim() });
      }}
    >
      <Stack>
        <TextInput
          label="Name"
          value={name}
          onChange={(event) => {
            setName(event.currentTarget.value);
          }}
          error={problemOf(saving.error, "name")}
          maxLength={LONGEST_NAME}
          required
          data-autofocus
        />
        <Textarea
          label="Description"
          value={description}
          onChange={(event) => {
            setDescription(event.currentTarget.value);
          }}
          error={problemOf(saving.error, "description")}
          autosize
          minRows={2}
          maxRows={8}
        />
        <FormProblem error={saving.error} fields={["name", "description"]} />
        <Group justify="flex-end">
          <Button variant="default" onClick={onCancel}>
            Cancel
          </Button>
          <Button type="submit" loading={saving.isPending} disabled={name.trim() === ""}>
            {verb}
          </Button>
        </Group>
      </Stack>
    </form>
  );
}
