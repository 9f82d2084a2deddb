import { Button, Group, Stack, Textarea, TextInput } from "@mantine/core";
import { useMutation } from "@tanstack/react-query";
import { useState } from "react";
import { FormProblem, problemOf } from "@/components/FormProblem";

const LONGEST_NAME = 200;

interface NamedText {
  name: string;
  description: string;
}

interface TextFormProps<Saved> {
  /** What the fields begin with. */
  initial: NamedText;
  save: (wanted: NamedText) => Promise<Saved>;
  /** The verb on the button. */
  verb: string;
  onSaved: (saved: Saved) => Promise<void> | void;
  onCancel: () => void;
}

/** Name and description of something, new or there already. */
export function TextForm<Saved>({ initial, save, verb, onSaved, onCancel }: TextFormProps<Saved>) {
  const [name, setName] = useState(initial.name);
  const [description, setDescription] = useState(initial.description);
  const saving = useMutation({
    mutationFn: save,
    meta: { quiet: true },
    onSuccess: onSaved,
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
