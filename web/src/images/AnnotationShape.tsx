import { memo } from "react";
import type { Annotation } from "@/images/imageService";
import type { Point } from "@/images/shape";
import classes from "./AnnotatedImage.module.css";

interface AnnotationShapeProps {
  annotation: Annotation;
  color: string;
  chosen: boolean;
  onChoose: (annotationId: string) => void;
}

/** A shape over its picture, in pixels of the image. */
export const AnnotationShape = memo(function AnnotationShape(props: AnnotationShapeProps) {
  const { annotation, color, chosen, onChoose } = props;
  const drawn = {
    className: chosen ? `${classes.shape} ${classes.chosen}` : classes.shape,
    stroke: color,
    fill: color,
    onClick: () => {
      onChoose(annotation.id);
    },
  };
  const title = <title>{annotation.classLabel || "No class"}</title>;
  const { shape } = annotation;
  switch (shape.type) {
    case "circle":
      return (
        <circle cx={shape.centre.x} cy={shape.centre.y} r={shape.radius} {...drawn}>
          {title}
        </circle>
      );
    case "box":
      return (
        <rect
          x={shape.min.x}
          y={shape.min.y}
          width={shape.max.x - shape.min.x}
          height={shape.max.y - shape.min.y}
          {...drawn}
        >
          {title}
        </rect>
      );
    case "rectangle":
    case "polygon":
      return (
        <polygon points={shape.points.map(corner).join(" ")} {...drawn}>
          {title}
        </polygon>
      );
  }
});

function corner({ x, y }: Point): string {
  return `${x},${y}`;
}
