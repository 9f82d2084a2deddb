import { IconLock } from "@tabler/icons-react";
import type { ReactNode } from "react";
import { DeadEndPage } from "@/app/DeadEndPage";

/** In the place of a page that takes another role: what one would need. */
export function NotAllowedPage({ children }: { children: ReactNode }) {
  return (
    <DeadEndPage icon={IconLock} title="Not for your role">
      {children}
    </DeadEndPage>
  );
}
