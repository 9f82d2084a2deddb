import { createFileRoute } from "@tanstack/react-router";
import { ahead } from "@/app/ahead";
import { WorkerListPage } from "@/workers/WorkerListPage";
import { workerListQuery } from "@/workers/workerQueries";

export const Route = createFileRoute("/_app/workers")({
  loader: ({ context }) => {
    ahead(context.queryClient.query(workerListQuery));
  },
  component: WorkerListPage,
});
