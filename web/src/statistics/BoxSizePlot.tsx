import { count } from "@/components/count";
import { grouped } from "@/components/grouped";
import { type Axis, PlotFrame } from "@/statistics/PlotFrame";
import { logScale, octaves, powersOfTwo } from "@/statistics/scales";
import type { BoxSizeCount } from "@/statistics/statisticsService";
import classes from "./PlotFrame.module.css";

/** How many annotations have boxes of which width and height: the more, the stronger the colour. */
export function BoxSizePlot({ sizes }: { sizes: BoxSizeCount[] }) {
  const most = Math.max(...sizes.map(({ annotationCount }) => annotationCount));
  const [usual] = sizes.toSorted((a, b) => b.annotationCount - a.annotationCount);
  const label = usual === undefined ? "" : `; most are about ${sizeText(usual)}`;
  return (
    <PlotFrame
      label={`Annotations by width and height of their boxes${label}`}
      x={sideAxis(
        "Width in pixels",
        sizes.map(({ minWidth }) => minWidth),
      )}
      y={sideAxis(
        "Height in pixels",
        sizes.map(({ minHeight }) => minHeight),
      )}
    >
      {(x, y) =>
        sizes.map((size) => {
          const { minWidth, minHeight, annotationCount } = size;
          const left = x(minWidth);
          const top = y(minHeight * Math.SQRT2);
          return (
            <rect
              key={`${minWidth} ${minHeight}`}
              className={classes.mark}
              // Few are to be seen beside many.
              opacity={0.12 + 0.88 * Math.sqrt(annotationCount / most)}
              x={left}
              y={top}
              width={Math.max(1, x(minWidth * Math.SQRT2) - left - 1)}
              height={Math.max(1, y(minHeight) - top - 1)}
            >
              <title>{`${sizeText(size)} pixels: ${count(annotationCount, "annotation")}`}</title>
            </rect>
          );
        })
      }
    </PlotFrame>
  );
}

function sideAxis(name: string, beginnings: number[]): Axis {
  const span = octaves(beginnings);
  return {
    name,
    ticks: powersOfTwo(span, 8).map((value) => ({ value, label: grouped(value) })),
    scale: (start, end) => logScale(span, [start, end]),
  };
}

function sizeText({ minWidth, minHeight }: BoxSizeCount): string {
  return `${sideText(minWidth)} × ${sideText(minHeight)}`;
}

function sideText(from: number): string {
  return `${Math.round(from)}–${Math.round(from * Math.SQRT2)}`;
}
