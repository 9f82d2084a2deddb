import { Anchor, Tabs } from "@mantine/core";
import { useSuspenseQuery } from "@tanstack/react-query";
import { Link, Outlet, useLocation, useNavigate } from "@tanstack/react-router";
import { count } from "@/components/count";
import { Page } from "@/components/Page";
import { ImportButtons } from "@/imports/ImportButtons";
import { ImportDropZone } from "@/imports/ImportDropZone";
import { ImportPanel } from "@/imports/ImportPanel";
import { ProjectMenu } from "@/projects/ProjectMenu";
import { projectQuery } from "@/projects/projectQueries";
import { RequireRole } from "@/session/RequireRole";

/** A project: its images and statistics, each at its own address. */
export function ProjectPage({ projectId }: { projectId: string }) {
  const { data: project } = useSuspenseQuery(projectQuery(projectId));
  const { pathname } = useLocation();
  const navigate = useNavigate();
  return (
    <ImportDropZone projectId={projectId}>
      <Page
        title={project.name}
        subtitle={project.description}
        back={
          <Anchor size="sm" renderRoot={(props) => <Link to="/projects" {...props} />}>
            Projects
          </Anchor>
        }
        actions={
          <RequireRole role="editor">
            <ImportButtons projectId={projectId} />
            <ProjectMenu project={project} />
          </RequireRole>
        }
      >
        <ImportPanel projectId={projectId} />
        <Tabs
          value={pathname.endsWith("/statistics") ? "statistics" : "images"}
          onChange={(tab) => {
            const to = tab === "statistics" ? "/projects/$projectId/statistics" : "/projects/$projectId";
            void navigate({ to, params: { projectId } });
          }}
        >
          <Tabs.List mb="md">
            <Tabs.Tab value="images">{count(project.imageCount, "image")}</Tabs.Tab>
            <Tabs.Tab value="statistics">Statistics</Tabs.Tab>
          </Tabs.List>
          <Outlet />
        </Tabs>
      </Page>
    </ImportDropZone>
  );
}
