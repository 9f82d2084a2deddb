import { ActionIcon, Group, Text, Tooltip } from "@mantine/core";
import { useHotkeys } from "@mantine/hooks";
import { IconChevronLeft, IconChevronRight } from "@tabler/icons-react";
import { noop, useQueryClient } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { useEffect, useRef } from "react";
import { annotationsQuery, imageQuery } from "@/images/imageQueries";
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
  const queryClient = useQueryClient();
  // Steps count from the image that was asked for last: the next key may come before that one is shown.
  const wanted = useRef(imageId);
  useEffect(() => {
    wanted.current = imageId;
  }, [imageId]);
  const neighboursOf = useNeighbours(projectId, filter, imageId);
  const { before, after, number } = neighboursOf(imageId);
  useEffect(() => {
    for (const id of [before, after]) {
      if (id === undefined) continue;
      // What fails here is asked for again, and said, when it is to be shown.
      queryClient.query(imageQuery(id)).catch(noop);
      queryClient.query(annotationsQuery(id)).catch(noop);
    }
  }, [queryClient, before, after]);
  const step = (side: "before" | "after") => {
    const id = neighboursOf(wanted.current)[side];
    if (id === undefined) return;
    wanted.current = id;
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
        step("before");
      },
    ],
    [
      "ArrowRight",
      () => {
        step("after");
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
            step("before");
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
            step("after");
          }}
        >
          <IconChevronRight size={18} />
        </ActionIcon>
      </Tooltip>
    </Group>
  );
}
