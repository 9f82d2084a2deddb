import { Card, SimpleGrid, Stack, Text, Title } from "@mantine/core";
import { IconChartBar } from "@tabler/icons-react";
import { useQuery } from "@tanstack/react-query";
import type { ReactNode } from "react";
import { bytes } from "@/components/bytes";
import { EmptyState } from "@/components/EmptyState";
import { ErrorNotice } from "@/components/ErrorNotice";
import { grouped } from "@/components/grouped";
import { RowsSkeleton } from "@/components/RowsSkeleton";
import { classColors } from "@/images/classColor";
import { BoxAreaPlot } from "@/statistics/BoxAreaPlot";
import { BoxSizePlot } from "@/statistics/BoxSizePlot";
import { ClassBars } from "@/statistics/ClassBars";
import { ImageSizePlot } from "@/statistics/ImageSizePlot";
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
      <SimpleGrid cols={{ base: 1, sm: 2, lg: 3 }} spacing="lg">
        {statistics.boxSizes.length > 0 && (
          <PlotCard
            title="Sizes of annotations"
            explanation="Boxes around them, in pixels: the stronger the colour, the more there are"
          >
            <BoxSizePlot sizes={statistics.boxSizes} />
          </PlotCard>
        )}
        {statistics.boxAreas.length > 0 && (
          <PlotCard title="Areas of annotations" explanation="Boxes around them, as a share of their image">
            <BoxAreaPlot areas={statistics.boxAreas} />
          </PlotCard>
        )}
        <PlotCard title="Sizes of images" explanation="In pixels: the larger the circle, the more there are">
          <ImageSizePlot sizes={statistics.imageSizes} imageCount={statistics.imageCount} />
        </PlotCard>
      </SimpleGrid>
      {annotated.length > 0 && (
        <PlotCard title="Sizes by class" explanation="In pixels of the boxes around the annotations">
          <SizeTable classes={annotated} />
        </PlotCard>
      )}
    </Stack>
  );
}

interface PlotCardProps {
  title: string;
  explanation: string;
  children: ReactNode;
}

function PlotCard({ title, explanation, children }: PlotCardProps) {
  return (
    <Card withBorder component="section">
      <Title order={2} size="h4">
        {title}
      </Title>
      <Text size="sm" c="dimmed" mb="sm">
        {explanation}
      </Text>
      {children}
    </Card>
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
