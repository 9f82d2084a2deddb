import { createFileRoute } from "@tanstack/react-router";
import { ProjectListPage } from "@/projects/ProjectListPage";

export const Route = createFileRoute("/_app/projects/")({ component: ProjectListPage });
