import { AppShell, Group } from "@mantine/core";
import { Outlet } from "@tanstack/react-router";
import { Brand } from "@/app/Brand";
import { ColorSchemeToggle } from "@/app/ColorSchemeToggle";
import { Navigation } from "@/app/Navigation";
import { ServerAwayBanner } from "@/app/ServerAwayBanner";
import { SessionMenu } from "@/app/SessionMenu";
import classes from "./AppFrame.module.css";

/** Header, places, and the page below. On narrow screens the places are a bar at the bottom. */
export function AppFrame({ onSignOut }: { onSignOut: () => void }) {
  return (
    <AppShell
      header={{ height: 56 }}
      footer={{ height: { base: 60, sm: 0 } }}
      padding={{ base: "md", sm: "xl" }}
    >
      <a href="#main" className={classes.skip}>
        Skip to the content
      </a>
      <AppShell.Header className={classes.header}>
        <Group
          h="100%"
          px={{ base: "md", sm: "xl" }}
          justify="space-between"
          wrap="nowrap"
          className={classes.bar}
        >
          <Group gap="xl" wrap="nowrap" h="100%">
            <Brand />
            <Navigation visibleFrom="sm" />
          </Group>
          <Group gap="xs" wrap="nowrap">
            <ColorSchemeToggle />
            <SessionMenu onSignOut={onSignOut} />
          </Group>
        </Group>
      </AppShell.Header>
      <AppShell.Main id="main" tabIndex={-1} className={classes.main}>
        <ServerAwayBanner />
        <Outlet />
      </AppShell.Main>
      <AppShell.Footer hiddenFrom="sm">
        <Navigation bottom />
      </AppShell.Footer>
    </AppShell>
  );
}
