import type { ReactNode } from "react";
import { useMay } from "@/session/roles";
import type { Role } from "@/session/sessionService";

/** Shows its children to those who may use them. */
export function RequireRole({ role, children }: { role: Role; children: ReactNode }) {
  return useMay(role) ? children : null;
}
