import { Button, Group, Stack, Textarea, TextInput } from "@mantine/core";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { FormProblem, problemOf } from "@/components/FormProblem";
import { notifyDone } from "@/components/notify";
import { PROJECTS } from "@/projects/projectQueries";
import { createProject } from "@/projects/projectService";

const LONGEST_NAME = 200;

export function CreateProjectForm({ onDone }: { onDone: () => void }) {
  const [name, setName] = useState("");
  const [description, setDescription] = useState("");
  const queryClient = useQueryClient();
  const creating = useMutation({
    mutationFn: createProject,
    meta: { quiet: true },
    onSuccess: async (project) => {
      await queryClient.invalidateQueries({ queryKey: PROJECTS });
      notifyDone(`The project ${project.name} is there.`);
      onDone();
    },
  });
  return (
    <form
      onSubmit={(event) => {
        event.preventDefault();
        creating.mutate({ name: name.trim(), description: description.trim() });
      }}
    >
      <Stack>
        <TextInput
          label="Name"
          value={name}
          onChange={(event) => {
            setName(event.currentTarget.value);
          }}
          error={problemOf(creating.error, "name")}
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
          error={problemOf(creating.error, "description")}
          autosize
          minRows={2}
          maxRows={8}
        />
        <FormProblem error={creating.error} fields={["name", "description"]} />
        <Group justify="flex-end">
          <Button variant="default" onClick={onDone}>
            Cancel
          </Button>
          <Button type="submit" loading={creating.isPending} disabled={name.trim() === ""}>
            Create
          </Button>
        </Group>
      </Stack>
    </form>
  );
}
