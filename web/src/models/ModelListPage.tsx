import { Badge, Table } from "@mantine/core";
import { IconCube } from "@tabler/icons-react";
import { useInfiniteQuery } from "@tanstack/react-query";
import { EmptyState } from "@/components/EmptyState";
import { ErrorNotice } from "@/components/ErrorNotice";
import { LoadMore } from "@/components/LoadMore";
import { Page } from "@/components/Page";
import { RelativeTime } from "@/components/RelativeTime";
import { RowsSkeleton } from "@/components/RowsSkeleton";
import { TASK_LABELS } from "@/jobs/taskTypes";
import { modelListQuery } from "@/models/modelQueries";

/** All models, the newest first. */
export function ModelListPage() {
  const models = useInfiniteQuery(modelListQuery);
  return (
    <Page title="Models">
      {models.isPending && <RowsSkeleton />}
      {models.isError && <ErrorNotice error={models.error} retry={() => void models.refetch()} />}
      {models.data?.length === 0 && (
        <EmptyState icon={IconCube} title="No models yet">
          Each training that is completed brings one.
        </EmptyState>
      )}
      {models.data && models.data.length > 0 && (
        <Table.ScrollContainer minWidth={480} type="native">
          <Table verticalSpacing="sm">
            <Table.Thead>
              <Table.Tr>
                <Table.Th>Model</Table.Th>
                <Table.Th>Task</Table.Th>
                <Table.Th>Architecture</Table.Th>
                <Table.Th>Created</Table.Th>
              </Table.Tr>
            </Table.Thead>
            <Table.Tbody>
              {models.data.map((model) => (
                <Table.Tr key={model.id}>
                  <Table.Td>
                    {model.name} {model.isActive && <Badge color="teal">Active</Badge>}
                  </Table.Td>
                  <Table.Td>{TASK_LABELS[model.taskType]}</Table.Td>
                  <Table.Td>{model.architecture}</Table.Td>
                  <Table.Td>
                    <RelativeTime time={model.createTime} />
                  </Table.Td>
                </Table.Tr>
              ))}
            </Table.Tbody>
          </Table>
        </Table.ScrollContainer>
      )}
      <LoadMore
        hasMore={models.hasNextPage}
        loading={models.isFetchingNextPage}
        load={() => void models.fetchNextPage()}
      />
    </Page>
  );
}
