import { Button } from "@mantine/core";
import { IconMapQuestion } from "@tabler/icons-react";
import { Link } from "@tanstack/react-router";
import { EmptyState } from "@/components/EmptyState";

/** There is nothing at this address, or not any more. */
export function NotFoundPage({ message = "The address leads nowhere, or to something that was deleted." }) {
  return (
    <EmptyState
      icon={IconMapQuestion}
      title="Not found"
      alone
      action={
        <Button component={Link} to="/" variant="light">
          To the projects
        </Button>
      }
    >
      {message}
    </EmptyState>
  );
}
