import { Card, Group, Text } from "@mantine/core";
import type { ReactNode } from "react";

interface SectionProps {
  title: string;
  /** At the right of the title. */
  aside?: ReactNode;
  children: ReactNode;
}

/** A titled part of a page. */
export function Section({ title, aside, children }: SectionProps) {
  return (
    <Card withBorder padding="lg" component="section" aria-label={title}>
      <Group justify="space-between" mb="sm">
        <Text component="h2" fw={600}>
          {title}
        </Text>
        {aside}
      </Group>
      {children}
    </Card>
  );
}
