import { Group, Text } from "@mantine/core";
import { Link } from "@tanstack/react-router";
import classes from "./Brand.module.css";

export function Brand() {
  return (
    <Link to="/" className={classes.brand} aria-label="AnnotateForge, to the projects">
      <Group gap={10} wrap="nowrap">
        <img src="/favicon.svg" width={28} height={28} alt="" />
        <Text fw={650} visibleFrom="xs" component="span">
          AnnotateForge
        </Text>
      </Group>
    </Link>
  );
}
