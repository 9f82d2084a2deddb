import { Group, Select } from "@mantine/core";
import { JOB_STATUSES, type JobFilter, TASK_TYPES } from "@/jobs/jobService";
import { TASK_LABELS } from "@/jobs/taskTypes";

interface JobFiltersProps {
  filter: JobFilter;
  onChange: (filter: JobFilter) => void;
}

/** Narrows the list of jobs; the choice is a part of the address. */
export function JobFilters({ filter, onChange }: JobFiltersProps) {
  return (
    <Group gap="sm">
      <Select
        aria-label="Status"
        placeholder="Every status"
        data={JOB_STATUSES.map((value) => ({
          value,
          label: value.charAt(0).toUpperCase() + value.slice(1),
        }))}
        value={filter.status ?? null}
        onChange={(status) => {
          const { status: before, ...others } = filter;
          onChange(status === null ? others : { ...others, status });
        }}
        clearable
        w={170}
      />
      <Select
        aria-label="Task"
        placeholder="Every task"
        data={TASK_TYPES.map((value) => ({ value, label: TASK_LABELS[value] }))}
        value={filter.task ?? null}
        onChange={(task) => {
          const { task: before, ...others } = filter;
          onChange(task === null ? others : { ...others, task });
        }}
        clearable
        w={170}
      />
    </Group>
  );
}
