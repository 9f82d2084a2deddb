import { Progress, Table, Text } from "@mantine/core";
import { ScrollTable } from "@/components/ScrollTable";
import type { ClassResult } from "@/jobs/jobEvents";
import { metricName, metricValue } from "@/jobs/metricNames";

/** What validation found about each class. */
export function ClassTable({ classes }: { classes: readonly ClassResult[] }) {
  const metrics = Object.keys(classes.find((found) => Object.keys(found.metrics).length > 0)?.metrics ?? {});
  return (
    <ScrollTable label="Metrics by class" minWidth={420} verticalSpacing="xs">
      <Table.Thead>
        <Table.Tr>
          <Table.Th>Class</Table.Th>
          <Table.Th ta="right">Images</Table.Th>
          <Table.Th ta="right">Instances</Table.Th>
          {metrics.map((name) => (
            <Table.Th key={name}>{metricName(name)}</Table.Th>
          ))}
        </Table.Tr>
      </Table.Thead>
      <Table.Tbody>
        {classes.map((found) => (
          <Table.Tr key={found.id}>
            <Table.Td>{found.label}</Table.Td>
            <Table.Td ta="right">{found.images}</Table.Td>
            <Table.Td ta="right">{found.instances}</Table.Td>
            {metrics.map((name) => (
              <Table.Td key={name}>
                <Text size="sm" ff="monospace">
                  {metricValue(found.metrics[name])}
                </Text>
                <Progress
                  value={(found.metrics[name] ?? 0) * 100}
                  size={3}
                  aria-label={`${metricName(name)} of ${found.label}`}
                />
              </Table.Td>
            ))}
          </Table.Tr>
        ))}
      </Table.Tbody>
    </ScrollTable>
  );
}
