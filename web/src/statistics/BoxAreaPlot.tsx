import { count } from "@/components/count";
import { grouped } from "@/components/grouped";
import { PlotFrame } from "@/statistics/PlotFrame";
import { linearScale, logScale, octaves, powersOfTwo, roundNumbers } from "@/statistics/scales";
import type { BoxAreaCount } from "@/statistics/statisticsService";
import classes from "./PlotFrame.module.css";

/** How many annotations cover which share of their image. */
export function BoxAreaPlot({ areas }: { areas: BoxAreaCount[] }) {
  const shares = octaves(areas.map(({ minShare }) => minShare));
  const most = Math.max(...areas.map(({ annotationCount }) => annotationCount));
  return (
    <PlotFrame
      label={`Annotations by the share of their image, ${percent(shares[0])} to ${percent(shares[1])}`}
      x={{
        name: "Share of the image",
        ticks: powersOfTwo(shares, 6).map((value) => ({ value, label: percent(value) })),
        scale: (start, end) => logScale(shares, [start, end]),
      }}
      y={{
        name: "Annotations",
        ticks: roundNumbers(most, 5)
          .filter(Number.isInteger)
          .map((value) => ({ value, label: grouped(value) })),
        scale: (start, end) => linearScale([0, most], [start, end]),
      }}
    >
      {(x, y) =>
        areas.map(({ minShare, annotationCount }) => {
          const left = x(minShare);
          const top = y(annotationCount);
          return (
            <rect
              key={minShare}
              className={classes.mark}
              x={left}
              y={top}
              width={Math.max(1, x(minShare * Math.SQRT2) - left - 1)}
              height={Math.max(1, y(0) - top)}
            >
              <title>
                {`${percent(minShare)} to ${percent(minShare * Math.SQRT2)}: ${count(annotationCount, "annotation")}`}
              </title>
            </rect>
          );
        })
      }
    </PlotFrame>
  );
}

function percent(share: number): string {
  return `${Number((100 * share).toPrecision(2))} %`;
}
