import { Select } from "@mantine/core";
import { TASK_TYPES, type TaskType } from "@/jobs/jobService";
import { TASK_LABELS } from "@/jobs/taskTypes";

interface TaskFilterProps {
  task: TaskType | undefined;
  /** Undefined is every task. */
  onChange: (task: TaskType | undefined) => void;
}

/** Narrows a list to a task. */
export function TaskFilter({ task, onChange }: TaskFilterProps) {
  return (
    <Select
      aria-label="Task"
      placeholder="Every task"
      data={TASK_TYPES.map((value) => ({ value, label: TASK_LABELS[value] }))}
      value={task ?? null}
      onChange={(chosen) => {
        onChange(chosen ?? undefined);
      }}
      clearable
      w={170}
    />
  );
}
