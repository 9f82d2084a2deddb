import "uplot/dist/uPlot.min.css";
import "./plot.css";
import { useComputedColorScheme } from "@mantine/core";
import { useElementSize } from "@mantine/hooks";
import { useEffect, useRef } from "react";
import UPlot from "uplot";
import { plotOptions, type PlotSeries } from "@/plot/plotOptions";

export interface PlotProps {
  /** What the plot shows, for those who cannot see it. */
  label: string;
  /** Whole numbers in ascending order, such as epochs. */
  x: readonly number[];
  series: readonly PlotSeries[];
  /** A place on x that is marked, with its name. */
  mark?: { x: number; label: string } | undefined;
  /** Largest and smallest value of y, where they are known. */
  range?: readonly [number, number];
  height?: number;
}

/** Lines over x. Dragging zooms, a double click shows everything again; the legend tells the values below the pointer. */
export function Plot({ label, x, series, mark, range, height = 260 }: PlotProps) {
  const { ref: box, width } = useElementSize();
  const target = useRef<HTMLDivElement>(null);
  const plot = useRef<UPlot | null>(null);
  const marked = useRef(mark);
  const scheme = useComputedColorScheme("light");
  const names = series.map(({ label: name }) => name).join("\n");

  useEffect(() => {
    if (target.current === null || width === 0) return;
    const made = new UPlot(
      plotOptions({ width, height, series, range, dark: scheme === "dark", mark: () => marked.current }),
      data(x, series),
      target.current,
    );
    plot.current = made;
    return () => {
      plot.current = null;
      made.destroy();
    };
    // The data changes without a new plot, which would forget the zoom; a line more or less needs one.
    // eslint-disable-next-line react-hooks/exhaustive-deps
  }, [names, scheme, height, width === 0]);

  useEffect(() => {
    plot.current?.setSize({ width, height });
  }, [width, height]);

  useEffect(() => {
    marked.current = mark;
    const made = plot.current;
    if (made === null) return;
    made.setData(data(x, series), !isZoomed(made));
    made.redraw(false);
  }, [x, series, mark]);

  return (
    <div ref={box} role="img" aria-label={label}>
      <div ref={target} />
    </div>
  );
}

function data(x: readonly number[], series: readonly PlotSeries[]): UPlot.AlignedData {
  return [[...x], ...series.map(({ values }) => values.map((value) => value ?? null))];
}

function isZoomed(plot: UPlot): boolean {
  const xs = plot.data[0];
  const { min, max } = plot.scales.x ?? {};
  return min !== undefined && max !== undefined && (min > (xs[0] ?? min) || max < (xs.at(-1) ?? max));
}
