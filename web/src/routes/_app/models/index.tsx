import { createFileRoute } from "@tanstack/react-router";
import { ModelListPage } from "@/models/ModelListPage";

export const Route = createFileRoute("/_app/models/")({ component: ModelListPage });
