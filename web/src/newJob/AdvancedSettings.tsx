import { Accordion, Badge, Button, Group, SimpleGrid, Text, TextInput, Title } from "@mantine/core";
import { IconSearch } from "@tabler/icons-react";
import { useState } from "react";
import { count } from "@/components/count";
import { advancedEntries, type AdvancedGroup, type Entry, OWN_DEFAULTS } from "@/newJob/advancedEntries";
import type { StepProps } from "@/newJob/stepProps";
import classes from "./AdvancedSettings.module.css";

const GROUPS: Record<AdvancedGroup, { label: string; explanation: string }> = {
  data: {
    label: "Split and weights",
    explanation: "How images are dealt out, and where training starts from",
  },
  optimizer: { label: "Optimizer", explanation: "How weights are changed after each batch" },
  schedule: { label: "Schedule", explanation: "How the learning rate runs, and when training ends" },
  loss: { label: "Losses", explanation: "What counts as wrong, and how much" },
  regularization: { label: "Regularization", explanation: "What keeps the model from learning by heart" },
  augmentation: { label: "Augmentation", explanation: "How images are changed each time they are seen" },
  hardware: { label: "Hardware and queue", explanation: "Where and when it runs, and how it uses memory" },
};

/** Everything else that can be set, by group, closed until it is wanted, or found by a word. */
export function AdvancedSettings(props: StepProps) {
  const { kept, problems } = props;
  const [words, setWords] = useState("");
  const [opened, setOpened] = useState<string[]>([]);
  const entries = advancedEntries(props);
  const wrong = (entry: Entry) => problems[entry.key] !== undefined;
  const changes = entries.filter((entry) => entry.changed).length;
  const groups = (Object.keys(GROUPS) as AdvancedGroup[])
    .map((group) => ({ group, within: entries.filter((entry) => entry.group === group) }))
    .filter(({ within }) => within.length > 0);
  // What is wrong is not hidden.
  const open = [...opened, ...groups.filter(({ within }) => within.some(wrong)).map(({ group }) => group)];
  return (
    <section aria-label="Advanced">
      <Group justify="space-between" mb={4}>
        <Title order={2} size="h4">
          Advanced
        </Title>
        {changes > 0 && (
          <Button
            size="compact-sm"
            variant="subtle"
            onClick={() => {
              kept.change({ settings: {}, config: { ...kept.draft.config, ...OWN_DEFAULTS } });
            }}
          >
            Take back {count(changes, "change")}
          </Button>
        )}
      </Group>
      <Text size="sm" c="dimmed" mb="sm">
        The defaults suit most trainings. An empty field has its default.
      </Text>
      <TextInput
        aria-label="Find a setting"
        placeholder="Find a setting, such as mosaic or momentum"
        leftSection={<IconSearch size={16} />}
        value={words}
        onChange={(event) => {
          setWords(event.currentTarget.value);
        }}
        mb="sm"
      />
      {words.trim() === "" ? (
        <Accordion variant="contained" multiple value={open} onChange={setOpened}>
          {groups.map(({ group, within }) => (
            <Accordion.Item key={group} value={group}>
              <Accordion.Control>
                <Group justify="space-between" gap="xs" pr="sm">
                  <div>
                    <Text fw={500}>{GROUPS[group].label}</Text>
                    <Text size="sm" c="dimmed">
                      {GROUPS[group].explanation}
                    </Text>
                  </div>
                  <ChangedBadge changes={within.filter((entry) => entry.changed).length} />
                </Group>
              </Accordion.Control>
              <Accordion.Panel>{open.includes(group) && <Entries entries={within} />}</Accordion.Panel>
            </Accordion.Item>
          ))}
        </Accordion>
      ) : (
        <Found entries={entries.filter((entry) => matches(entry, words))} />
      )}
    </section>
  );
}

function ChangedBadge({ changes }: { changes: number }) {
  if (changes === 0) return null;
  return (
    <Badge variant="light" tt="none">
      {changes} changed
    </Badge>
  );
}

function Found({ entries }: { entries: Entry[] }) {
  if (entries.length === 0) return <Text c="dimmed">No setting of this task is like that.</Text>;
  return <Entries entries={entries} />;
}

function Entries({ entries }: { entries: Entry[] }) {
  return (
    <SimpleGrid cols={{ base: 1, sm: 2 }} verticalSpacing="lg" className={classes.fields}>
      {entries.map(({ key, changed, element }) => (
        <div key={key} className={classes.field} data-changed={changed || undefined}>
          {element}
        </div>
      ))}
    </SimpleGrid>
  );
}

function matches(entry: Entry, words: string): boolean {
  const text = `${entry.words} ${entry.group} ${GROUPS[entry.group].label}`.toLowerCase();
  return words
    .toLowerCase()
    .split(/\s+/)
    .every((word) => text.includes(word));
}
