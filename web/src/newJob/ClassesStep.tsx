import { Button, Checkbox, Group, Stack, Switch, TagsInput, Text } from "@mantine/core";
import { IconPlus } from "@tabler/icons-react";
import { useQueries } from "@tanstack/react-query";
import { grouped } from "@/components/grouped";
import { SHAPE_LABELS } from "@/images/shape";
import { SHAPES_OF } from "@/newJob/draft";
import type { StepProps } from "@/newJob/stepProps";
import { suggestedClasses } from "@/newJob/suggestions";
import { projectStatsQuery } from "@/statistics/statisticsQueries";

const SHOWN_SUGGESTIONS = 30;
const MOST_CLASSES = 1000;
/** What the model tells apart, and which shapes it learns from. */
export function ClassesStep({ kept, problems }: StepProps) {
  const { draft, change } = kept;
  const statistics = useQueries({ queries: draft.projectIds.map(projectStatsQuery) });
  const known = statistics.flatMap(({ data }) => (data === undefined ? [] : [data]));
  const suggestions = suggestedClasses(known, draft.taskType);
  const open = suggestions.filter(({ label }) => !draft.classes.includes(label));
  const shapes = SHAPES_OF[draft.taskType];
  return (
    <Stack>
      <TagsInput
        label="Classes"
        description="In the order of their ids, from 0. Press Enter after each."
        value={draft.classes}
        onChange={(classes) => {
          change({ classes });
        }}
        error={problems.classes}
        data={open.map(({ label }) => label)}
        limit={SHOWN_SUGGESTIONS}
        maxTags={MOST_CLASSES}
        clearable
        splitChars={["\n"]}
      />
      {open.length > 0 && (
        <Stack gap={6}>
          <Group justify="space-between">
            <Text size="sm" c="dimmed">
              Your projects hold
            </Text>
            <Button
              size="compact-sm"
              variant="subtle"
              onClick={() => {
                change({ classes: [...draft.classes, ...open.map(({ label }) => label)] });
              }}
            >
              Add all
            </Button>
          </Group>
          <Group gap="xs">
            {open.slice(0, SHOWN_SUGGESTIONS).map(({ label, count }) => (
              <Button
                key={label}
                size="compact-sm"
                variant="default"
                leftSection={<IconPlus size={14} />}
                onClick={() => {
                  change({ classes: [...draft.classes, label] });
                }}
              >
                {label} ({grouped(count)})
              </Button>
            ))}
          </Group>
        </Stack>
      )}
      {shapes.length > 1 && (
        <Checkbox.Group
          label="Shapes"
          description="Which annotations become boxes to learn from"
          value={draft.shapes}
          onChange={(chosen) => {
            change({ shapes: chosen });
          }}
          error={problems.shapes}
        >
          <Group mt="xs">
            {shapes.map((shape) => (
              <Checkbox key={shape} value={shape} label={SHAPE_LABELS[shape]} />
            ))}
          </Group>
        </Checkbox.Group>
      )}
      {draft.taskType !== "classify" && (
        <Switch
          label="Reviewed images without annotations go in as backgrounds"
          description="They teach the model where nothing is"
          checked={draft.backgrounds}
          onChange={(event) => {
            change({ backgrounds: event.currentTarget.checked });
          }}
        />
      )}
    </Stack>
  );
}
