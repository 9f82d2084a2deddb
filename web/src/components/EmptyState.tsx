import { Stack, Text, ThemeIcon, Title } from "@mantine/core";
import type { Icon } from "@tabler/icons-react";
import type { ReactNode } from "react";

interface EmptyStateProps {
  icon: Icon;
  title: string;
  /** What would be here, and what to do. */
  children: ReactNode;
  /** The next step. */
  action?: ReactNode;
  /** It stands for the whole page. */
  alone?: boolean;
}

/** A list or page that holds nothing yet, with the next step. */
export function EmptyState({ icon: Icon, title, children, action, alone = false }: EmptyStateProps) {
  return (
    <Stack align="center" gap="sm" py={64} px="md" ta="center" component="section">
      <ThemeIcon variant="light" size={56} radius="xl">
        <Icon size={28} aria-hidden />
      </ThemeIcon>
      <Title order={alone ? 1 : 2} size="h3">
        {title}
      </Title>
      <Text c="dimmed" maw={460}>
        {children}
      </Text>
      {action}
    </Stack>
  );
}
