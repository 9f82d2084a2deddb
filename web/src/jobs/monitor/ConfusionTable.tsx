import { Table, Text } from "@mantine/core";
import type { ConfusionMatrix } from "@/api/generated/schema";
import { ScrollTable } from "@/components/ScrollTable";
import { shares } from "@/jobs/monitor/confusion";
import classes from "./ConfusionTable.module.css";

/** What was taken for what: a row for each prediction, a column for each truth, darker where more of the truth went. */
export function ConfusionTable({ matrix }: { matrix: ConfusionMatrix }) {
  const { labels, rows } = matrix;
  const share = shares(matrix);
  return (
    <ScrollTable
      label="Confusion matrix"
      minWidth={320}
      withColumnBorders
      className={classes.matrix}
      w="auto"
    >
      <Table.Thead>
        <Table.Tr>
          <Table.Th>Predicted ↓ · true →</Table.Th>
          {labels.map((label) => (
            <Table.Th key={label} ta="right">
              {label}
            </Table.Th>
          ))}
        </Table.Tr>
      </Table.Thead>
      <Table.Tbody>
        {rows.map(({ counts }, row) => (
          <Table.Tr key={labels[row]}>
            <Table.Th scope="row">{labels[row]}</Table.Th>
            {counts.map((count, column) => {
              const part = share[row]?.[column] ?? 0;
              return (
                <Table.Td
                  key={labels[column]}
                  className={classes.cell}
                  style={{ "--share": `${Math.round(part * 70)}%` }}
                  title={`${count} of ${labels[column] ?? ""} were predicted as ${labels[row] ?? ""} (${Math.round(part * 100)} %)`}
                >
                  <Text size="sm" ff="monospace" fw={row === column ? 700 : 400}>
                    {count}
                  </Text>
                </Table.Td>
              );
            })}
          </Table.Tr>
        ))}
      </Table.Tbody>
    </ScrollTable>
  );
}
