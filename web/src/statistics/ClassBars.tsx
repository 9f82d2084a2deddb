import { Text, VisuallyHidden } from "@mantine/core";
import { Link } from "@tanstack/react-router";
import { grouped } from "@/components/grouped";
import type { ClassColor } from "@/images/classColor";
import classes from "./ClassBars.module.css";

export interface ClassBar {
  label: string;
  value: number;
}

interface ClassBarsProps {
  projectId: string;
  bars: ClassBar[];
  colorOf: ClassColor;
  /** What is counted, such as "instances". */
  unit: string;
}

/** A bar for each class; each leads to the images of its class. */
export function ClassBars({ projectId, bars, colorOf, unit }: ClassBarsProps) {
  const most = bars.reduce((longest, { value }) => Math.max(longest, value), 1);
  return (
    <div role="list" aria-label={`Classes by ${unit}`}>
      {bars.map(({ label, value }) => (
        <div key={label} role="listitem">
          <Link
            to="/projects/$projectId"
            params={{ projectId }}
            search={label === "" ? {} : { class: label }}
            className={classes.row}
          >
            <Text size="sm" className={classes.label} title={label}>
              {label || "No class"}
            </Text>
            <div className={classes.track} aria-hidden>
              <div
                className={classes.bar}
                style={{ width: `${(100 * value) / most}%`, background: colorOf(label) }}
              />
            </div>
            <Text size="sm" className={classes.number}>
              {grouped(value)}
              <VisuallyHidden component="span"> {unit}</VisuallyHidden>
            </Text>
          </Link>
        </div>
      ))}
    </div>
  );
}
