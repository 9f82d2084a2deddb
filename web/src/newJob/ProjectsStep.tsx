import { Button, Checkbox, Group, Stack, Text } from "@mantine/core";
import { IconPhotoPlus } from "@tabler/icons-react";
import { useInfiniteQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { count } from "@/components/count";
import { EmptyState } from "@/components/EmptyState";
import { ErrorNotice } from "@/components/ErrorNotice";
import { LoadMore } from "@/components/LoadMore";
import { RowsSkeleton } from "@/components/RowsSkeleton";
import type { StepProps } from "@/newJob/stepProps";
import { projectListQuery } from "@/projects/projectQueries";
import classes from "./TaskStep.module.css";

/** Whose images are trained on; several projects make one data set. */
export function ProjectsStep({ kept, problems }: StepProps) {
  const { draft, change } = kept;
  const projects = useInfiniteQuery(projectListQuery);
  if (projects.isPending) return <RowsSkeleton rows={4} height={64} />;
  if (projects.isError) return <ErrorNotice error={projects.error} retry={() => void projects.refetch()} />;
  if (projects.data.length === 0) {
    return (
      <EmptyState
        icon={IconPhotoPlus}
        title="There is no project yet"
        action={<Button renderRoot={(props) => <Link to="/projects" {...props} />}>To the projects</Button>}
      >
        Create a project and import labelled images first. What you have entered here is kept.
      </EmptyState>
    );
  }
  return (
    <Checkbox.Group
      label="Projects"
      description="The images of several projects become one data set."
      value={draft.projectIds}
      onChange={(projectIds) => {
        change({ projectIds });
      }}
      error={problems.projectIds}
    >
      <Stack gap="xs" mt="sm">
        {projects.data.map((project) => (
          <Checkbox.Card
            key={project.id}
            value={project.id}
            p="sm"
            className={classes.card}
            aria-label={project.name}
          >
            <Group wrap="nowrap">
              <Checkbox.Indicator />
              <div>
                <Text fw={500}>{project.name}</Text>
                <Text size="sm" c="dimmed">
                  {count(project.imageCount, "image")} · {count(project.annotationCount, "annotation")}
                </Text>
              </div>
            </Group>
          </Checkbox.Card>
        ))}
        <LoadMore
          hasMore={projects.hasNextPage}
          loading={projects.isFetchingNextPage}
          load={() => void projects.fetchNextPage()}
        />
      </Stack>
    </Checkbox.Group>
  );
}
