import { Button, Table } from "@mantine/core";
import { IconColumns, IconCube } from "@tabler/icons-react";
import { useInfiniteQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { useState } from "react";
import { EmptyState } from "@/components/EmptyState";
import { ErrorNotice } from "@/components/ErrorNotice";
import { LoadMore } from "@/components/LoadMore";
import { Page } from "@/components/Page";
import { RowsSkeleton } from "@/components/RowsSkeleton";
import { ScrollTable } from "@/components/ScrollTable";
import { TaskFilter } from "@/jobs/TaskFilter";
import { FEWEST_COMPARED, MOST_COMPARED } from "@/models/comparison";
import { modelListQuery } from "@/models/modelQueries";
import { ModelRow } from "@/models/ModelRow";
import type { ModelFilter } from "@/models/modelService";

interface ModelListPageProps {
  filter: ModelFilter;
  onFilter: (filter: ModelFilter) => void;
}

/** All models, the newest first. */
export function ModelListPage({ filter, onFilter }: ModelListPageProps) {
  const models = useInfiniteQuery(modelListQuery(filter));
  const [chosen, setChosen] = useState<string[]>([]);
  const choose = (modelId: string) => {
    if (chosen.length >= MOST_COMPARED && !chosen.includes(modelId)) return undefined;
    return (more: boolean) => {
      setChosen((now) => (more ? [...now, modelId] : now.filter((id) => id !== modelId)));
    };
  };
  return (
    <Page
      title="Models"
      actions={
        chosen.length >= FEWEST_COMPARED && (
          <Button
            leftSection={<IconColumns size={18} />}
            renderRoot={(props) => <Link to="/models/compare" search={{ models: chosen }} {...props} />}
          >
            Compare {chosen.length} models
          </Button>
        )
      }
    >
      <TaskFilter
        task={filter.task}
        onChange={(task) => {
          onFilter(task === undefined ? {} : { task });
        }}
      />
      {models.isPending && <RowsSkeleton />}
      {models.isError && <ErrorNotice error={models.error} retry={() => void models.refetch()} />}
      {models.data?.length === 0 && (
        <EmptyState icon={IconCube} title={filter.task ? "No model is like that" : "No models yet"}>
          Each training that is completed brings one.
        </EmptyState>
      )}
      {models.data && models.data.length > 0 && (
        <ScrollTable label="Models" minWidth={280} verticalSpacing="sm" highlightOnHover>
          <Table.Thead>
            <Table.Tr>
              <Table.Td />
              <Table.Th>Model</Table.Th>
              <Table.Th visibleFrom="sm">Task</Table.Th>
              <Table.Th>Metrics</Table.Th>
              <Table.Th visibleFrom="sm">Classes</Table.Th>
              <Table.Th visibleFrom="sm">Created</Table.Th>
            </Table.Tr>
          </Table.Thead>
          <Table.Tbody>
            {models.data.map((model) => (
              <ModelRow
                key={model.id}
                model={model}
                chosen={chosen.includes(model.id)}
                onChoose={choose(model.id)}
              />
            ))}
          </Table.Tbody>
        </ScrollTable>
      )}
      <LoadMore
        hasMore={models.hasNextPage}
        loading={models.isFetchingNextPage}
        load={() => void models.fetchNextPage()}
      />
    </Page>
  );
}
