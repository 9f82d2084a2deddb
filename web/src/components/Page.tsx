import { Group, Stack, Text, Title } from "@mantine/core";
import { useDocumentTitle } from "@mantine/hooks";
import type { ReactNode } from "react";
import classes from "./Page.module.css";

interface PageProps {
  /** The heading, and the tab's title where it is a text. */
  title: string;
  /** A line below the title. */
  subtitle?: ReactNode;
  /** What stands beside the title, such as a status. */
  badge?: ReactNode;
  /** Where one came from. */
  back?: ReactNode;
  /** Buttons at the right. */
  actions?: ReactNode;
  children: ReactNode;
}

/** The frame that all pages share: title, actions, content. */
export function Page({ title, subtitle, badge, back, actions, children }: PageProps) {
  useDocumentTitle(`${title} · AnnotateForge`);
  return (
    <Stack gap="lg" className={classes.page}>
      <Stack gap={6}>
        {back}
        <Group justify="space-between" align="flex-start" gap="sm">
          <Stack gap={6} className={classes.heading} data-with-subtitle={Boolean(subtitle) || undefined}>
            <Group gap="sm">
              <Title order={1} className={classes.title}>
                {title}
              </Title>
              {badge}
            </Group>
            {subtitle && (
              <Text c="dimmed" component="div">
                {subtitle}
              </Text>
            )}
          </Stack>
          {actions && <Group gap="xs">{actions}</Group>}
        </Group>
      </Stack>
      {children}
    </Stack>
  );
}
