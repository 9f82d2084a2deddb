import { ActionIcon, Group, Paper, Text } from "@mantine/core";
import { IconArrowsMaximize, IconMinus, IconPlus } from "@tabler/icons-react";

interface ZoomToolsProps {
  className: string | undefined;
  /** Pixels of the screen per pixel of the image. */
  scale: number;
  onZoomIn: () => void;
  onZoomOut: () => void;
  onFit: () => void;
}

export function ZoomTools({ className, scale, onZoomIn, onZoomOut, onFit }: ZoomToolsProps) {
  return (
    <Paper className={className} withBorder shadow="xs" p={4}>
      <Group gap={4} wrap="nowrap">
        <ActionIcon variant="subtle" onClick={onZoomOut} aria-label="Zoom out">
          <IconMinus size={16} />
        </ActionIcon>
        <Text size="xs" w={44} ta="center">
          {Math.round(scale * 100)} %
        </Text>
        <ActionIcon variant="subtle" onClick={onZoomIn} aria-label="Zoom in">
          <IconPlus size={16} />
        </ActionIcon>
        <ActionIcon variant="subtle" onClick={onFit} aria-label="Show the whole picture">
          <IconArrowsMaximize size={16} />
        </ActionIcon>
      </Group>
    </Paper>
  );
}
