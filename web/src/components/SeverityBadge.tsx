import { Badge } from "@mantine/core";
import type { Severity } from "@/api/generated/schema";

const COLORS: Record<Severity, string> = {
  error: "red",
  warning: "orange",
  info: "blue",
  unspecified: "gray",
};

/** How bad something is. */
export function SeverityBadge({ severity }: { severity: Severity }) {
  return (
    <Badge variant="dot" color={COLORS[severity]}>
      {severity}
    </Badge>
  );
}
