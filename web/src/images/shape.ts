import type { Annotation as WireAnnotation } from "@/api/generated/schema";

/** A place in pixels of the upright image, x to the right and y down. */
export interface Point {
  x: number;
  y: number;
}

/** The shape of an annotation, in pixels of the upright image. */
export type Shape =
  | { type: "circle"; centre: Point; radius: number }
  | { type: "box"; min: Point; max: Point }
  | { type: "rectangle"; points: Point[] }
  | { type: "polygon"; points: Point[] };

export type ShapeType = Shape["type"];

export const SHAPE_TYPES: readonly ShapeType[] = ["box", "circle", "rectangle", "polygon"];

export const SHAPE_LABELS: Record<ShapeType, string> = {
  box: "Box",
  circle: "Circle",
  rectangle: "Rotated rectangle",
  polygon: "Polygon",
};

/** The shape of the API's annotation; Error when it has none, which would be the server's fault. */
export function readShape(wire: WireAnnotation): Shape {
  const { circle, box, rectangle, polygon } = wire;
  if (circle) return { type: "circle", centre: { x: circle.x, y: circle.y }, radius: circle.radius };
  if (box) return { type: "box", min: { x: box.x_min, y: box.y_min }, max: { x: box.x_max, y: box.y_max } };
  if (rectangle) return { type: "rectangle", points: rectangle.corners };
  if (polygon) return { type: "polygon", points: polygon.points };
  throw new Error(`The annotation ${wire.id} has no shape.`);
}

/** The shape as the API takes it, under its name. */
export function writeShape(shape: Shape): Pick<WireAnnotation, ShapeType> {
  switch (shape.type) {
    case "circle":
      return { circle: { ...shape.centre, radius: shape.radius } };
    case "box":
      return { box: { x_min: shape.min.x, y_min: shape.min.y, x_max: shape.max.x, y_max: shape.max.y } };
    case "rectangle":
      return { rectangle: { corners: shape.points } };
    case "polygon":
      return { polygon: { points: shape.points } };
  }
}

/** Width and height of the upright box around a shape, in pixels. */
export function extent(shape: Shape): { width: number; height: number } {
  switch (shape.type) {
    case "circle":
      return { width: 2 * shape.radius, height: 2 * shape.radius };
    case "box":
      return { width: shape.max.x - shape.min.x, height: shape.max.y - shape.min.y };
    case "rectangle":
    case "polygon":
      return {
        width: spread(shape.points.map(({ x }) => x)),
        height: spread(shape.points.map(({ y }) => y)),
      };
  }
}

function spread(values: number[]): number {
  // Not Math.max(...values): a polygon may have more corners than a call has room for arguments.
  return (
    values.reduce((most, value) => Math.max(most, value)) -
    values.reduce((least, value) => Math.min(least, value))
  );
}
