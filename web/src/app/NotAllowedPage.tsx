import { Button } from "@mantine/core";
import { IconLock } from "@tabler/icons-react";
import { Link } from "@tanstack/react-router";
import type { ReactNode } from "react";
import { EmptyState } from "@/components/EmptyState";

/** In the place of a page that takes another role: what one would need. */
export function NotAllowedPage({ children }: { children: ReactNode }) {
  return (
    <EmptyState
      icon={IconLock}
      title="Not for your role"
      alone
      action={
        <Button component={Link} to="/" variant="light">
          To the projects
        </Button>
      }
    >
      {children}
    </EmptyState>
  );
}
