import { Code, SimpleGrid } from "@mantine/core";
import { IconServer2 } from "@tabler/icons-react";
import { useQuery } from "@tanstack/react-query";
import { EmptyState } from "@/components/EmptyState";
import { ErrorNotice } from "@/components/ErrorNotice";
import { Page } from "@/components/Page";
import { RowsSkeleton } from "@/components/RowsSkeleton";
import { WorkerCard } from "@/workers/WorkerCard";
import { workerListQuery } from "@/workers/workerQueries";

/** The machines that train, kept up to date. */
export function WorkerListPage() {
  const workers = useQuery(workerListQuery);
  return (
    <Page title="Workers">
      {workers.isPending && <RowsSkeleton rows={2} height={180} />}
      {workers.isError && <ErrorNotice error={workers.error} retry={() => void workers.refetch()} />}
      {workers.data?.length === 0 && (
        <EmptyState icon={IconServer2} title="No worker is there">
          Jobs wait until one is. <Code>annotateforge up</Code> brings one for each GPU; others join from
          their machines with a token of the role worker.
        </EmptyState>
      )}
      <SimpleGrid cols={{ base: 1, md: 2, xl: 3 }}>
        {workers.data?.map((worker) => (
          <WorkerCard key={worker.id} worker={worker} />
        ))}
      </SimpleGrid>
    </Page>
  );
}
