import { Button } from "@mantine/core";
import { IconPlayerPlay, IconPlus } from "@tabler/icons-react";
import { useInfiniteQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { EmptyState } from "@/components/EmptyState";
import { ErrorNotice } from "@/components/ErrorNotice";
import { LoadMore } from "@/components/LoadMore";
import { Page } from "@/components/Page";
import { RowsSkeleton } from "@/components/RowsSkeleton";
import { JobFilters } from "@/jobs/JobFilters";
import { jobListQuery } from "@/jobs/jobQueries";
import type { JobFilter } from "@/jobs/jobService";
import { JobTable } from "@/jobs/JobTable";
import { RequireRole } from "@/session/RequireRole";

const LIVE_MS = 3000;

interface JobListPageProps {
  filter: JobFilter;
  onFilter: (filter: JobFilter) => void;
}

/** All trainings, the newest first, kept up to date. */
export function JobListPage({ filter, onFilter }: JobListPageProps) {
  const jobs = useInfiniteQuery({ ...jobListQuery(filter), refetchInterval: LIVE_MS });
  const filtered = filter.status !== undefined || filter.task !== undefined;
  const create = (
    <RequireRole role="editor">
      <Button
        leftSection={<IconPlus size={18} />}
        renderRoot={(props) => <Link to="/training/new" {...props} />}
      >
        New training
      </Button>
    </RequireRole>
  );
  return (
    <Page title="Training" actions={create}>
      <JobFilters filter={filter} onChange={onFilter} />
      {jobs.isPending && <RowsSkeleton />}
      {jobs.isError && <ErrorNotice error={jobs.error} retry={() => void jobs.refetch()} />}
      {jobs.data && jobs.data.length > 0 && <JobTable jobs={jobs.data} />}
      {jobs.data?.length === 0 && (
        <EmptyState
          icon={IconPlayerPlay}
          title={filtered ? "No job is like that" : "Nothing has been trained yet"}
        >
          {filtered
            ? "Choose another status or task."
            : "A job trains a model from the images of your projects, and shows every epoch as it happens."}
        </EmptyState>
      )}
      <LoadMore
        hasMore={jobs.hasNextPage}
        loading={jobs.isFetchingNextPage}
        load={() => void jobs.fetchNextPage()}
      />
    </Page>
  );
}
