import { Group, Select } from "@mantine/core";
import { JOB_STATUSES, type JobFilter } from "@/jobs/jobService";
import { TaskFilter } from "@/jobs/TaskFilter";

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
      <TaskFilter
        task={filter.task}
        onChange={(task) => {
          const { task: before, ...others } = filter;
          onChange(task === undefined ? others : { ...others, task });
        }}
      />
    </Group>
  );
}
