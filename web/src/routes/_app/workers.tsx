import { createFileRoute } from "@tanstack/react-router";
import { WorkerListPage } from "@/workers/WorkerListPage";

export const Route = createFileRoute("/_app/workers")({ component: WorkerListPage });
