import type { ClassStatistics } from "@/statistics/statisticsService";

/** All annotations of a class, of whatever shape. */
export function instanceCount(entry: ClassStatistics): number {
  return entry.circleCount + entry.boxCount + entry.rectangleCount + entry.polygonCount;
}
