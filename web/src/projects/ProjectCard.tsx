import { Card, Group, Stack, Text } from "@mantine/core";
import { count } from "@/components/count";
import { RelativeTime } from "@/components/RelativeTime";
import type { Project } from "@/projects/projectService";

export function ProjectCard({ project }: { project: Project }) {
  return (
    <Card withBorder padding="lg" component="article">
      <Stack gap="xs" h="100%" justify="space-between">
        <div>
          <Text fw={600} component="h2" size="lg" lineClamp={2} title={project.name}>
            {project.name}
          </Text>
          <Text size="sm" c="dimmed" lineClamp={2} title={project.description}>
            {project.description}
          </Text>
        </div>
        <Group justify="space-between" gap="xs">
          <Text size="sm">
            {count(project.imageCount, "image")} · {count(project.annotationCount, "annotation")}
          </Text>
          <Text size="sm" c="dimmed">
            <RelativeTime time={project.updateTime} />
          </Text>
        </Group>
      </Stack>
    </Card>
  );
}
