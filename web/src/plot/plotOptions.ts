import UPlot from "uplot";

export interface PlotSeries {
  label: string;
  values: readonly (number | undefined)[];
}

interface Wanted {
  width: number;
  height: number;
  series: readonly PlotSeries[];
  range: readonly [number, number] | undefined;
  dark: boolean;
  mark: () => { x: number; label: string } | undefined;
}

/** Lines that can be told apart also by those who see fewer colours (Okabe and Ito), on light and on dark. */
const LINES = {
  light: ["#0072b2", "#d55e00", "#009e73", "#9b4f96", "#a07800", "#3b8bba"],
  dark: ["#56b4e9", "#ff8f40", "#2fd4a0", "#e08bc4", "#f0e442", "#9fc7e0"],
};

export function plotOptions({ width, height, series, range, dark, mark }: Wanted): UPlot.Options {
  const colors = dark ? LINES.dark : LINES.light;
  const text = dark ? "#c1c7d0" : "#4a5260";
  const grid = { stroke: dark ? "#3a3d42" : "#e6e8ec", width: 1 };
  const axis = { stroke: text, grid, ticks: grid, font: "12px system-ui, sans-serif" };
  return {
    width,
    height,
    // Above the lines is the place of the mark's name.
    padding: [20, 12, 0, 0],
    cursor: { drag: { x: true, y: false }, points: { size: 7 } },
    legend: { live: true },
    scales: { x: { time: false, range: wholeNumbers }, y: range ? { range: [...range] } : {} },
    axes: [
      { ...axis, incrs: [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000] },
      { ...axis, size: 52 },
    ],
    series: [
      { label: "Epoch", value: (_plot: UPlot, value: number | null) => value ?? "–" },
      ...series.map(({ label }, index) => ({
        label,
        stroke: colors[index % colors.length] ?? text,
        width: 2,
        spanGaps: true,
        points: {
          show: (_plot: UPlot, _series: number, first: number, last: number) => last - first < 40,
          size: 5,
        },
        value: (_plot: UPlot, value: number | null) => (value === null ? "–" : value.toPrecision(4)),
      })),
    ],
    hooks: {
      draw: [
        (plot) => {
          const place = mark();
          if (place !== undefined) drawMark(plot, place, text);
        },
      ],
    },
  };
}

/** A single epoch in the middle, more of them from edge to edge. */
function wholeNumbers(_plot: UPlot, min: number | null, max: number | null): [number, number] {
  if (min === null || max === null) return [0, 1];
  return min === max ? [min - 1, max + 1] : [min, max];
}

function drawMark(plot: UPlot, { x, label }: { x: number; label: string }, color: string): void {
  const { ctx, bbox } = plot;
  const at = Math.round(plot.valToPos(x, "x", true));
  if (at < bbox.left || at > bbox.left + bbox.width) return;
  const ratio = UPlot.pxRatio;
  ctx.save();
  ctx.strokeStyle = color;
  ctx.fillStyle = color;
  ctx.lineWidth = ratio;
  ctx.setLineDash([4 * ratio, 4 * ratio]);
  ctx.beginPath();
  ctx.moveTo(at, bbox.top);
  ctx.lineTo(at, bbox.top + bbox.height);
  ctx.stroke();
  ctx.font = `${11 * ratio}px system-ui, sans-serif`;
  ctx.textAlign = "center";
  const half = ctx.measureText(label).width / 2;
  const middle = Math.min(Math.max(at, bbox.left + half), bbox.left + bbox.width - half);
  ctx.fillText(label, middle, bbox.top - 7 * ratio);
  ctx.restore();
}
