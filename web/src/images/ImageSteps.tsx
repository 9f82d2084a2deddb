import { ActionIcon, Group, Text, Tooltip } from "@mantine/core";
import { useHotkeys } from "@mantine/hooks";
import { IconChevronLeft, IconChevronRight } from "@tabler/icons-react";
import { useNavigate } from "@tanstack/react-router";
import type { ImageFilter } from "@/images/imageService";
import { useNeighbours } from "@/images/useNeighbours";

interface ImageStepsProps {
  projectId: string;
  imageId: string;
  filter: ImageFilter;
}

/** To the images before and after, by button or arrow key. */
export function ImageSteps({ projectId, imageId, filter }: ImageStepsProps) {
  const navigate = useNavigate();
  const { before, after, number } = useNeighbours(projectId, filter, imageId);
  const show = (id: string | undefined) => {
    if (id === undefined) return;
    void navigate({
      to: "/projects/$projectId/images/$imageId",
      params: { projectId, imageId: id },
      search: filter,
      replace: true,
      resetScroll: false,
    });
  };
  useHotkeys([
    [
      "ArrowLeft",
      () => {
        show(before);
      },
    ],
    [
      "ArrowRight",
      () => {
        show(after);
      },
    ],
  ]);
  return (
    <Group gap={4} wrap="nowrap">
      <Tooltip label="Image before (←)">
        <ActionIcon
          variant="default"
          size="lg"
          aria-label="Image before"
          disabled={before === undefined}
          onClick={() => {
            show(before);
          }}
        >
          <IconChevronLeft size={18} />
        </ActionIcon>
      </Tooltip>
      {number !== undefined && (
        <Text size="sm" c="dimmed" miw={48} ta="center">
          {number}
        </Text>
      )}
      <Tooltip label="Image after (→)">
        <ActionIcon
          variant="default"
          size="lg"
          aria-label="Image after"
          disabled={after === undefined}
          onClick={() => {
            show(after);
          }}
        >
          <IconChevronRight size={18} />
        </ActionIcon>
      </Tooltip>
    </Group>
  );
}
