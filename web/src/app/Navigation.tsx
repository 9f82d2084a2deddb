import { Group, type MantineBreakpoint } from "@mantine/core";
import { Link, useLocation } from "@tanstack/react-router";
import { PLACES } from "@/app/navigation";
import classes from "./Navigation.module.css";

/** Links to the places; the one where one is is marked. */
export function Navigation({
  bottom = false,
  visibleFrom,
}: {
  bottom?: boolean;
  visibleFrom?: MantineBreakpoint;
}) {
  const here = useLocation({ select: ({ pathname }) => pathname });
  return (
    <Group
      component="nav"
      aria-label={bottom ? "Places, at the bottom" : "Places"}
      gap={bottom ? 0 : 4}
      h="100%"
      grow={bottom}
      wrap="nowrap"
      {...(visibleFrom && { visibleFrom })}
    >
      {PLACES.map(({ to, within, label, icon: Icon }) => (
        <Link
          key={to}
          to={to}
          className={bottom ? classes.tab : classes.link}
          data-here={here.startsWith(within) || undefined}
          aria-current={here.startsWith(within) ? "page" : undefined}
        >
          <Icon size={bottom ? 22 : 18} stroke={1.7} aria-hidden />
          {label}
        </Link>
      ))}
    </Group>
  );
}
