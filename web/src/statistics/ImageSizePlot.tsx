import { List, Text } from "@mantine/core";
import { count } from "@/components/count";
import { grouped } from "@/components/grouped";
import { type Axis, PlotFrame } from "@/statistics/PlotFrame";
import { linearScale, roundNumbers } from "@/statistics/scales";
import type { ImageSizeCount } from "@/statistics/statisticsService";
import classes from "./PlotFrame.module.css";

const LISTED = 5;
/** Pixels of the largest circle and the smallest. */
const RADII = [16, 3] as const;

interface ImageSizePlotProps {
  /** The most frequent first. */
  sizes: ImageSizeCount[];
  /** All images, also those of sizes that are too rare to be told. */
  imageCount: number;
}

/** Which sizes images have: the more have one, the larger its circle. */
export function ImageSizePlot({ sizes, imageCount }: ImageSizePlotProps) {
  const most = sizes[0]?.imageCount ?? 1;
  const listed = sizes.slice(0, LISTED);
  const others = imageCount - listed.reduce((sum, size) => sum + size.imageCount, 0);
  return (
    <>
      <PlotFrame
        label={`Images by width and height; ${count(sizes.length, "size")} shown`}
        x={sideAxis(
          "Width in pixels",
          sizes.map(({ width }) => width),
        )}
        y={sideAxis(
          "Height in pixels",
          sizes.map(({ height }) => height),
        )}
      >
        {(x, y) =>
          sizes.map((size) => (
            <circle
              key={sizeText(size)}
              className={classes.outlined}
              cx={x(size.width)}
              cy={y(size.height)}
              r={Math.max(RADII[1], RADII[0] * Math.sqrt(size.imageCount / most))}
            >
              <title>{`${sizeText(size)}: ${count(size.imageCount, "image")}`}</title>
            </circle>
          ))
        }
      </PlotFrame>
      <List size="sm" mt="xs" listStyleType="none">
        {listed.map((size) => (
          <List.Item key={sizeText(size)}>
            {sizeText(size)}{" "}
            <Text span size="sm" c="dimmed">
              {count(size.imageCount, "image")}
            </Text>
          </List.Item>
        ))}
        {others > 0 && (
          <List.Item>
            <Text span size="sm" c="dimmed">
              {count(others, "image")} of other sizes
            </Text>
          </List.Item>
        )}
      </List>
    </>
  );
}

function sideAxis(name: string, sides: number[]): Axis {
  // Room for the circles at the edge.
  const most = Math.max(...sides) * 1.1;
  return {
    name,
    ticks: roundNumbers(most, 5).map((value) => ({ value, label: grouped(value) })),
    scale: (start, end) => linearScale([0, most], [start, end]),
  };
}

function sizeText({ width, height }: ImageSizeCount): string {
  return `${width} × ${height}`;
}
