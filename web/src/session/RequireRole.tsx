import type { ReactNode } from "react";
import { useMay } from "@/session/roles";
import type { Role } from "@/session/sessionService";

interface RequireRoleProps {
  role: Role;
  children: ReactNode;
  /** What all others see; nothing by default. */
  otherwise?: ReactNode;
}

/** Shows its children to those who may use them. */
export function RequireRole({ role, children, otherwise = null }: RequireRoleProps) {
  return useMay(role) ? children : otherwise;
}
