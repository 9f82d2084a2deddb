import { createFileRoute } from "@tanstack/react-router";
import { ahead } from "@/app/ahead";
import { ProjectListPage } from "@/projects/ProjectListPage";
import { projectListQuery } from "@/projects/projectQueries";

export const Route = createFileRoute("/_app/projects/")({
  loader: ({ context }) => {
    ahead(context.queryClient.infiniteQuery(projectListQuery));
  },
  component: ProjectListPage,
});
