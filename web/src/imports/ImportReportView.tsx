import { Accordion, Alert, Group, List, Stack, Table, Text } from "@mantine/core";
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

function ClassCounts({ report }: { report: ImportReport }) {
  if (report.class_counts.length === 0) return null;
  return (
    <ScrollTable label="Annotations by class" minWidth={420} maxHeight={280} stickyHeader>
      <Table.Thead>
        <Table.Tr>
          <Table.Th>Class</Table.Th>
          <Table.Th ta="right">Boxes</Table.Th>
          <Table.Th ta="right">Circles</Table.Th>
          <Table.Th ta="right">Rectangles</Table.Th>
          <Table.Th ta="right">Polygons</Table.Th>
          <Table.Th ta="right">Images</Table.Th>
        </Table.Tr>
      </Table.Thead>
      <Table.Tbody>
        {report.class_counts.map((entry) => (
          <Table.Tr key={entry.class_label}>
            <Table.Td>{entry.class_label || <Text c="dimmed">No class</Text>}</Table.Td>
            <Table.Td ta="right">{grouped(entry.box_count)}</Table.Td>
            <Table.Td ta="right">{grouped(entry.circle_count)}</Table.Td>
            <Table.Td ta="right">{grouped(entry.rectangle_count)}</Table.Td>
            <Table.Td ta="right">{grouped(entry.polygon_count)}</Table.Td>
            <Table.Td ta="right">{grouped(entry.classified_image_count)}</Table.Td>
          </Table.Tr>
        ))}
      </Table.Tbody>
    </ScrollTable>
  );
}
