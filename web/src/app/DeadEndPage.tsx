import { Button } from "@mantine/core";
import { Link } from "@tanstack/react-router";
import type { ComponentProps } from "react";
import { EmptyState } from "@/components/EmptyState";

/** In the place of a page that this visitor cannot have: why, and the way back. */
export function DeadEndPage(props: Pick<ComponentProps<typeof EmptyState>, "icon" | "title" | "children">) {
  return (
    <EmptyState
      alone
      action={
        <Button component={Link} to="/" variant="light">
          To the projects
        </Button>
      }
      {...props}
    />
  );
}
