import { useElementSize } from "@mantine/hooks";
import type { ReactNode } from "react";
import type { Scale } from "@/statistics/scales";
import classes from "./PlotFrame.module.css";

/** Pixels around what is drawn, for marks and names. */
const LEFT = 64;
const RIGHT = 12;
const TOP = 8;
const BOTTOM = 42;

export interface Axis {
  name: string;
  ticks: { value: number; label: string }[];
  /** The scale between two pixels. */
  scale: (start: number, end: number) => Scale;
}

interface PlotFrameProps {
  /** What the plot shows, for those who cannot see it. */
  label: string;
  x: Axis;
  y: Axis;
  height?: number;
  /** Draws between the axes. */
  children: (x: Scale, y: Scale) => ReactNode;
}

/** Two axes with a grid, as wide as there is room. */
export function PlotFrame({ label, x, y, height = 300, children }: PlotFrameProps) {
  const { ref, width } = useElementSize();
  return (
    <div ref={ref}>
      {width > LEFT + RIGHT && (
        <svg width={width} height={height} className={classes.plot} role="img" aria-label={label}>
          <Drawing width={width} height={height} x={x} y={y}>
            {children}
          </Drawing>
        </svg>
      )}
    </div>
  );
}

type DrawingProps = Omit<PlotFrameProps, "label" | "height"> & { width: number; height: number };

function Drawing({ width, height, x, y, children }: DrawingProps) {
  const right = width - RIGHT;
  const floor = height - BOTTOM;
  const across = x.scale(LEFT, right);
  const up = y.scale(floor, TOP);
  return (
    <>
      {x.ticks.map(({ value, label }) => (
        <g key={value}>
          <line className={classes.grid} x1={across(value)} x2={across(value)} y1={TOP} y2={floor} />
          <text className={classes.axis} x={across(value)} y={floor + 16} textAnchor="middle">
            {label}
          </text>
        </g>
      ))}
      {y.ticks.map(({ value, label }) => (
        <g key={value}>
          <line className={classes.grid} x1={LEFT} x2={right} y1={up(value)} y2={up(value)} />
          <text className={classes.axis} x={LEFT - 8} y={up(value)} dy="0.35em" textAnchor="end">
            {label}
          </text>
        </g>
      ))}
      <text className={classes.axis} x={(LEFT + right) / 2} y={height - 6} textAnchor="middle">
        {x.name}
      </text>
      <text
        className={classes.axis}
        transform={`translate(11 ${(TOP + floor) / 2}) rotate(-90)`}
        textAnchor="middle"
      >
        {y.name}
      </text>
      {children(across, up)}
    </>
  );
}
