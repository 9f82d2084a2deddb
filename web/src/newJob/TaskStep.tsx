import { Radio, Stack, Text, Textarea, TextInput } from "@mantine/core";
import { TASK_TYPES, type TaskType } from "@/jobs/jobService";
import { TASK_LABELS } from "@/jobs/taskTypes";
import { withTask } from "@/newJob/draft";
import type { StepProps } from "@/newJob/stepProps";
import classes from "./TaskStep.module.css";

const EXPLANATIONS: Record<TaskType, string> = {
  detect: "Finds objects and draws a box around each. Learns from boxes, circles and other shapes.",
  segment: "Finds objects and their outlines. Learns from polygons.",
  classify: "Says what a whole image shows. Learns from the classes of images.",
};

/** What the job is called, and what is learnt. */
export function TaskStep({ kept, problems }: StepProps) {
  const { draft, change, set } = kept;
  return (
    <Stack>
      <TextInput
        label="Name"
        value={draft.name}
        onChange={(event) => {
          change({ name: event.currentTarget.value });
        }}
        error={problems.name}
        maxLength={200}
        required
      />
      <Textarea
        label="Description"
        value={draft.description}
        onChange={(event) => {
          change({ description: event.currentTarget.value });
        }}
        autosize
        minRows={2}
        maxRows={8}
        maxLength={10_000}
      />
      <Radio.Group
        label="Task"
        value={draft.taskType}
        onChange={(value) => {
          set(withTask(draft, value));
        }}
      >
        <Stack gap="sm" mt="xs">
          {TASK_TYPES.map((task) => (
            <Radio.Card
              key={task}
              value={task}
              p="md"
              className={classes.card}
              aria-label={TASK_LABELS[task]}
            >
              <Text fw={600}>{TASK_LABELS[task]}</Text>
              <Text size="sm" c="dimmed">
                {EXPLANATIONS[task]}
              </Text>
            </Radio.Card>
          ))}
        </Stack>
      </Radio.Group>
    </Stack>
  );
}
