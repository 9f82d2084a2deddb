import { Table, Text } from "@mantine/core";
import { ScrollTable } from "@/components/ScrollTable";
import type { ClassStatistics } from "@/statistics/statisticsService";

/** How large the annotations of each class are, in pixels of the boxes around them. */
export function SizeTable({ classes }: { classes: ClassStatistics[] }) {
  return (
    <ScrollTable label="Sizes of annotations" minWidth={280}>
      <Table.Thead>
        <Table.Tr>
          <Table.Th>Class</Table.Th>
          <Table.Th ta="right">Mean size</Table.Th>
          <Table.Th ta="right">Shortest side</Table.Th>
          <Table.Th ta="right">Longest side</Table.Th>
        </Table.Tr>
      </Table.Thead>
      <Table.Tbody>
        {classes.map((entry) => (
          <Table.Tr key={entry.label}>
            <Table.Td>{entry.label || <Text c="dimmed">No class</Text>}</Table.Td>
            <Table.Td ta="right">
              {Math.round(entry.meanWidth)} × {Math.round(entry.meanHeight)}
            </Table.Td>
            <Table.Td ta="right">{Math.round(entry.shortestSide)}</Table.Td>
            <Table.Td ta="right">{Math.round(entry.longestSide)}</Table.Td>
          </Table.Tr>
        ))}
      </Table.Tbody>
    </ScrollTable>
  );
}
