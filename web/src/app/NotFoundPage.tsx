import { IconMapQuestion } from "@tabler/icons-react";
import { DeadEndPage } from "@/app/DeadEndPage";

/** There is nothing at this address, or not any more. */
export function NotFoundPage({ message = "The address leads nowhere, or to something that was deleted." }) {
  return (
    <DeadEndPage icon={IconMapQuestion} title="Not found">
      {message}
    </DeadEndPage>
  );
}
