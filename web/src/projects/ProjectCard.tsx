import { Card, Group, Stack, Text } from "@mantine/core";
import { Link } from "@tanstack/react-router";
import { count } from "@/components/count";
import { RelativeTime } from "@/components/RelativeTime";
import { ProjectCover } from "@/projects/ProjectCover";
import type { Project } from "@/projects/projectService";
import classes from "./ProjectCard.module.css";

/** A project in the list; the whole card leads to it. */
export function ProjectCard({ project }: { project: Project }) {
  return (
    <Card withBorder padding="lg" component="article" className={classes.card}>
      <Card.Section mb="sm">
        <ProjectCover project={project} />
      </Card.Section>
      <Stack gap="xs" justify="space-between" className={classes.text}>
        <div>
          <Text fw={600} component="h2" size="lg" lineClamp={2} title={project.name}>
            <Link to="/projects/$projectId" params={{ projectId: project.id }} className={classes.link}>
              {project.name}
            </Link>
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
