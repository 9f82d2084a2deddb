import { Anchor, Table } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { bytes } from "@/components/bytes";
import { ErrorNotice } from "@/components/ErrorNotice";
import { RowsSkeleton } from "@/components/RowsSkeleton";
import { ScrollTable } from "@/components/ScrollTable";
import { artifactsQuery } from "@/models/artifactQueries";
import classes from "./ArtifactTable.module.css";

/** The files that came out of a training, to be downloaded. */
export function ArtifactTable({ modelId }: { modelId: string }) {
  const artifacts = useQuery(artifactsQuery(modelId));
  if (artifacts.isPending) return <RowsSkeleton rows={4} />;
  if (artifacts.isError)
    return <ErrorNotice error={artifacts.error} retry={() => void artifacts.refetch()} />;
  return (
    <ScrollTable label="Files of the model" minWidth={240}>
      <Table.Tbody>
        {artifacts.data.map(({ name, url, sizeBytes }) => (
          <Table.Tr key={name}>
            <Table.Td>
              <Anchor href={url} download={name} size="sm" className={classes.name}>
                {name}
              </Anchor>
            </Table.Td>
            <Table.Td className={classes.size}>{bytes(sizeBytes)}</Table.Td>
          </Table.Tr>
        ))}
      </Table.Tbody>
    </ScrollTable>
  );
}
