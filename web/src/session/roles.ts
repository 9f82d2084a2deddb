import { useSuspenseQuery } from "@tanstack/react-query";
import type { Role } from "@/session/sessionService";
import { sessionQuery } from "@/session/sessionQuery";

const RANK: Record<Role, number> = { worker: 0, viewer: 1, editor: 2, admin: 3 };

/** Whether a role includes another one. */
export function includes(role: Role, needed: Role): boolean {
  return RANK[role] >= RANK[needed];
}

/** Whether the person who is signed in may do what needs a role. What they may not do is not shown. */
export function useMay(needed: Role): boolean {
  const { data } = useSuspenseQuery(sessionQuery);
  return data !== null && includes(data.role, needed);
}
