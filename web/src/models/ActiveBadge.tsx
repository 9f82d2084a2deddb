import { Badge } from "@mantine/core";

/** Marks the model that its task is predicted with. */
export function ActiveBadge() {
  return (
    <Badge variant="dot" color="teal">
      Active
    </Badge>
  );
}
