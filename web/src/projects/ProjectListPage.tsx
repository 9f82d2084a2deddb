import { SimpleGrid } from "@mantine/core";
import { IconPhotoPlus } from "@tabler/icons-react";
import { useInfiniteQuery } from "@tanstack/react-query";
import { EmptyState } from "@/components/EmptyState";
import { ErrorNotice } from "@/components/ErrorNotice";
import { LoadMore } from "@/components/LoadMore";
import { Page } from "@/components/Page";
import { RowsSkeleton } from "@/components/RowsSkeleton";
import { CreateProjectButton } from "@/projects/CreateProjectButton";
import { ProjectCard } from "@/projects/ProjectCard";
import { projectListQuery } from "@/projects/projectQueries";
import { RequireRole } from "@/session/RequireRole";

export function ProjectListPage() {
  const projects = useInfiniteQuery(projectListQuery);
  const create = (
    <RequireRole role="editor">
      <CreateProjectButton />
    </RequireRole>
  );
  const empty = projects.data?.length === 0;
  // There is one button, and not before it is known where: another one would not have the form open that the first one opened.
  const createAbove = projects.data !== undefined && !empty;
  return (
    <Page title="Projects" actions={createAbove && create}>
      {projects.isPending && <RowsSkeleton rows={3} height={132} />}
      {projects.isError && <ErrorNotice error={projects.error} retry={() => void projects.refetch()} />}
      {empty && (
        <EmptyState icon={IconPhotoPlus} title="No projects yet" action={create}>
          A project holds images with their labels. Create one, then bring a zip of labelled images.
        </EmptyState>
      )}
      {projects.data && !empty && (
        <SimpleGrid cols={{ base: 1, sm: 2, lg: 3, xl: 4 }}>
          {projects.data.map((project) => (
            <ProjectCard key={project.id} project={project} />
          ))}
        </SimpleGrid>
      )}
      <LoadMore
        hasMore={projects.hasNextPage}
        loading={projects.isFetchingNextPage}
        load={() => void projects.fetchNextPage()}
      />
    </Page>
  );
}
