import { Button, CloseButton, Select, TextInput } from "@mantine/core";
import { useDebouncedCallback } from "@mantine/hooks";
import { IconSearch } from "@tabler/icons-react";
import { useState } from "react";
import { IMAGE_PROBLEMS, PROBLEM_LABELS } from "@/images/imageProblems";
import type { ImageFilter } from "@/images/imageService";
import { SHAPE_LABELS, SHAPE_TYPES } from "@/images/shape";
import classes from "./ImageFilters.module.css";

const TYPING_MS = 300;

interface ImageFiltersProps {
  filter: ImageFilter;
  /** Class labels of the project. */
  labels: string[];
  onChange: (filter: ImageFilter) => void;
}

/** Narrows the list of images; the choice is a part of the address. */
export function ImageFilters({ filter, labels, onChange }: ImageFiltersProps) {
  const change = (part: Partial<Record<keyof ImageFilter, string | null>>) => {
    onChange(withoutNulls({ ...filter, ...part }));
  };
  return (
    <div className={classes.filters}>
      <NameFilter
        name={filter.name ?? ""}
        onChange={(name) => {
          change({ name: name || null });
        }}
      />
      <Select
        aria-label="Class"
        placeholder="Every class"
        data={labels}
        value={filter.class ?? null}
        onChange={(label) => {
          change({ class: label });
        }}
        searchable
        clearable
        limit={200}
        nothingFoundMessage="No such class"
      />
      <Select
        aria-label="Labels"
        placeholder="Labelled or not"
        data={[
          { value: "with", label: "With labels" },
          { value: "without", label: "Without labels" },
        ]}
        value={filter.labels ?? null}
        onChange={(labels) => {
          change({ labels });
        }}
        clearable
      />
      <Select
        aria-label="Shape"
        placeholder="Every shape"
        data={SHAPE_TYPES.map((value) => ({ value, label: SHAPE_LABELS[value] }))}
        value={filter.shape ?? null}
        onChange={(shape) => {
          change({ shape });
        }}
        clearable
      />
      <Select
        aria-label="Problem"
        placeholder="Any condition"
        data={IMAGE_PROBLEMS.map((value) => ({ value, label: PROBLEM_LABELS[value] }))}
        value={filter.problem ?? null}
        onChange={(problem) => {
          change({ problem });
        }}
        clearable
      />
      <Select
        aria-label="Review"
        placeholder="Reviewed or not"
        data={[
          { value: "yes", label: "Reviewed" },
          { value: "no", label: "Not reviewed" },
        ]}
        value={filter.reviewed ?? null}
        onChange={(reviewed) => {
          change({ reviewed });
        }}
        clearable
      />
      {Object.keys(filter).length > 1 && (
        <Button
          variant="subtle"
          onClick={() => {
            onChange({});
          }}
        >
          Show all
        </Button>
      )}
    </div>
  );
}

/** Follows the typing after a moment of rest. */
function NameFilter({ name, onChange }: { name: string; onChange: (name: string) => void }) {
  const [typed, setTyped] = useState(name);
  const [shown, setShown] = useState(name);
  const tell = useDebouncedCallback(onChange, TYPING_MS);
  // The address has changed by other means, such as the back button.
  if (shown !== name) {
    setShown(name);
    setTyped(name);
  }
  return (
    <TextInput
      aria-label="File name"
      placeholder="File name"
      leftSection={<IconSearch size={16} aria-hidden />}
      rightSection={
        typed !== "" && (
          <CloseButton
            aria-label="Any file name"
            size="sm"
            onClick={() => {
              setTyped("");
              onChange("");
            }}
          />
        )
      }
      value={typed}
      onChange={(event) => {
        setTyped(event.currentTarget.value);
        tell(event.currentTarget.value.trim());
      }}
    />
  );
}

function withoutNulls(given: Partial<Record<keyof ImageFilter, string | null>>): ImageFilter {
  return Object.fromEntries(Object.entries(given).filter(([, value]) => value !== null));
}
