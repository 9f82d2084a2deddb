import { Card, SimpleGrid, Stack, Text, Title } from "@mantine/core";
import { IconChartBar } from "@tabler/icons-react";
import { useQuery } from "@tanstack/react-query";
import { bytes } from "@/components/bytes";
import { EmptyState } from "@/components/EmptyState";
import { ErrorNotice } from "@/components/ErrorNotice";
import { grouped } from "@/components/grouped";
import { RowsSkeleton } from "@/components/RowsSkeleton";
import { classColors } from "@/images/classColor";
import { ClassBars } from "@/statistics/ClassBars";
import { instanceCount } from "@/statistics/instanceCount";
import { SizeTable } from "@/statistics/SizeTable";
import { projectStatsQuery } from "@/statistics/statisticsQueries";
import type { ProjectStatistics } from "@/statistics/statisticsService";

/** What a project holds, in numbers and bars. */
export function StatisticsPage({ projectId }: { projectId: string }) {
  const statistics = useQuery(projectStatsQuery(projectId));
  if (statistics.isPending) return <RowsSkeleton rows={5} />;
  if (statistics.isError) {
    return <ErrorNotice error={statistics.error} retry={() => void statistics.refetch()} />;
  }
  if (statistics.data.imageCount === 0) {
    return (
      <EmptyState icon={IconChartBar} title="Nothing to count yet">
        Import images, and this page shows their classes and sizes.
      </EmptyState>
    );
  }
  return <Statistics projectId={projectId} statistics={statistics.data} />;
}

function Statistics({ projectId, statistics }: { projectId: string; statistics: ProjectStatistics }) {
  const annotated = statistics.classes.filter((entry) => instanceCount(entry) > 0);
  const classified = statistics.classes.filter(({ classifiedImageCount }) => classifiedImageCount > 0);
  const colorOf = classColors(statistics.classes.map(({ label }) => label).filter(Boolean));
  return (
    <Stack gap="lg">
      <SimpleGrid cols={{ base: 2, sm: 3, lg: 6 }}>
        <Figure name="Images" value={grouped(statistics.imageCount)} />
        <Figure name="With annotations" value={grouped(statistics.annotatedImageCount)} />
        <Figure name="With an image class" value={grouped(statistics.classifiedImageCount)} />
        <Figure name="Annotations" value={grouped(statistics.annotationCount)} />
        <Figure name="Reviewed" value={grouped(statistics.reviewedImageCount)} />
        <Figure name="Size" value={bytes(statistics.sizeBytes)} />
      </SimpleGrid>
      {annotated.length > 0 && (
        <Card withBorder component="section">
          <Title order={2} size="h4" mb="sm">
            Instances per class
          </Title>
          <ClassBars
            projectId={projectId}
            unit="instances"
            colorOf={colorOf}
            bars={annotated.map((entry) => ({ label: entry.label, value: instanceCount(entry) }))}
          />
        </Card>
      )}
      {classified.length > 0 && (
        <Card withBorder component="section">
          <Title order={2} size="h4" mb="sm">
            Images per image class
          </Title>
          <ClassBars
            projectId={projectId}
            unit="images"
            colorOf={colorOf}
            bars={classified.map(({ label, classifiedImageCount }) => ({
              label,
              value: classifiedImageCount,
            }))}
          />
        </Card>
      )}
      {annotated.length > 0 && (
        <Card withBorder component="section">
          <Title order={2} size="h4">
            Sizes of annotations
          </Title>
          <Text size="sm" c="dimmed" mb="sm">
            In pixels of the boxes around them
          </Text>
          <SizeTable classes={annotated} />
        </Card>
      )}
    </Stack>
  );
}

function Figure({ name, value }: { name: string; value: string }) {
  return (
    <Card withBorder padding="sm">
      <Text size="sm" c="dimmed">
        {name}
      </Text>
      <Text fz={22} fw={650}>
        {value}
      </Text>
    </Card>
  );
}
