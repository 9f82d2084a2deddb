import { Accordion, Alert, Group, List, Stack, Table, Text } from "@mantine/core";
import type { ImportedClass } from "@/api/generated/schema";
import { count } from "@/components/count";
import { grouped } from "@/components/grouped";
import { ScrollTable } from "@/components/ScrollTable";
import { SeverityBadge } from "@/components/SeverityBadge";
import type { ImportReport } from "@/imports/importService";
import { placeOf, problemGroups, reasonText } from "@/imports/problemGroups";

const SHOWN_PROBLEMS = 100;

/** What an import brought, and every problem with its place and what to do. */
export function ImportReportView({ report }: { report: ImportReport }) {
  const groups = problemGroups(report);
  return (
    <Stack gap="md">
      <Text>
        Read as <b>{report.format}</b>: {count(report.images_added, "image")} and{" "}
        {count(report.annotations_added, "annotation")} added
        {report.images_skipped > 0 && `, ${count(report.images_skipped, "image")} left out`}.
      </Text>
      <ClassCounts report={report} />
      {groups.length === 0 ? (
        <Alert color="teal">Nothing was found wrong.</Alert>
      ) : (
        <Accordion variant="separated" multiple>
          {groups.map((group) => (
            <Accordion.Item
              key={`${group.severity}-${group.reason}`}
              value={`${group.severity}-${group.reason}`}
            >
              <Accordion.Control>
                <Group gap="sm">
                  <SeverityBadge severity={group.severity} />
                  <Text size="sm" fw={500}>
                    {reasonText(group.reason)}
                  </Text>
                  <Text size="sm" c="dimmed">
                    {group.count}
                  </Text>
                </Group>
              </Accordion.Control>
              <Accordion.Panel>
                {group.hint && (
                  <Text size="sm" mb="xs">
                    {group.hint}
                  </Text>
                )}
                <List size="sm" spacing={4}>
                  {group.problems.slice(0, SHOWN_PROBLEMS).map((problem, place) => (
                    <List.Item key={place}>
                      <Text size="sm" fw={500} component="span">
                        {placeOf(problem)}
                      </Text>
                      : {problem.message}
                    </List.Item>
                  ))}
                </List>
                {group.count > Math.min(group.problems.length, SHOWN_PROBLEMS) && (
                  <Text size="sm" c="dimmed" mt="xs">
                    {count(group.count - Math.min(group.problems.length, SHOWN_PROBLEMS), "more", "more")} of
                    this kind.
                  </Text>
                )}
              </Accordion.Panel>
            </Accordion.Item>
          ))}
        </Accordion>
      )}
    </Stack>
  );
}

const COUNTS: readonly { label: string; of: (entry: ImportedClass) => number }[] = [
  { label: "Boxes", of: ({ box_count }) => box_count },
  { label: "Circles", of: ({ circle_count }) => circle_count },
  { label: "Rectangles", of: ({ rectangle_count }) => rectangle_count },
  { label: "Polygons", of: ({ polygon_count }) => polygon_count },
  { label: "Images", of: ({ classified_image_count }) => classified_image_count },
];

/** By class what was added; kinds of which there is nothing have no column. */
function ClassCounts({ report }: { report: ImportReport }) {
  if (report.class_counts.length === 0) return null;
  const counted = COUNTS.filter(({ of }) => report.class_counts.some((entry) => of(entry) > 0));
  return (
    <ScrollTable label="Annotations by class" minWidth={300} maxHeight={280} stickyHeader>
      <Table.Thead>
        <Table.Tr>
          <Table.Th>Class</Table.Th>
          {counted.map(({ label }) => (
            <Table.Th key={label} ta="right">
              {label}
            </Table.Th>
          ))}
        </Table.Tr>
      </Table.Thead>
      <Table.Tbody>
        {report.class_counts.map((entry) => (
          <Table.Tr key={entry.class_label}>
            <Table.Td>{entry.class_label || <Text c="dimmed">No class</Text>}</Table.Td>
            {counted.map(({ label, of }) => (
              <Table.Td key={label} ta="right">
                {grouped(of(entry))}
              </Table.Td>
            ))}
          </Table.Tr>
        ))}
      </Table.Tbody>
    </ScrollTable>
  );
}
