import { useElementSize } from "@mantine/hooks";
import { type KeyboardEvent, type PointerEvent, useEffect, useRef, useState } from "react";
import { AnnotationShape } from "@/images/AnnotationShape";
import type { ClassColor } from "@/images/classColor";
import { type Annotation, contentAddress, type ProjectImage } from "@/images/imageService";
import type { Point } from "@/images/shape";
import { ZoomTools } from "@/images/ZoomTools";
import { fitted, panned, type View, zoomed } from "@/images/zoom";
import classes from "./AnnotatedImage.module.css";

const WHEEL_SPEED = 0.0015;
const STEP = 1.4;
const KEY_PAN = 60;
const PIXELS_SEEN = 3;
/** Pixels that a pointer moves before it drags. */
const DRAG_FROM = 4;

interface AnnotatedImageProps {
  image: ProjectImage;
  annotations: Annotation[];
  colorOf: ClassColor;
  /** Id of the annotation that is pointed out. */
  chosen: string | undefined;
  onChoose: (annotationId: string | undefined) => void;
}

/**
 * A picture with its annotations over it. The wheel, two fingers, + and − zoom; dragging and the arrow keys
 * move what has been enlarged; 0 shows the whole again.
 */
export function AnnotatedImage({ image, annotations, colorOf, chosen, onChoose }: AnnotatedImageProps) {
  const { ref: sizeRef, width, height } = useElementSize();
  const frameRef = useRef<HTMLDivElement | null>(null);
  const [moved, setMoved] = useState<View | undefined>();
  const pointers = useRef(new Map<number, Point>());
  const frame = { width, height };
  const ready = width > 0;
  const view = moved ?? (ready ? fitted(image, frame) : { scale: 1, left: 0, top: 0 });
  const zoom = (factor: number, place: Point = { x: width / 2, y: height / 2 }) => {
    setMoved(zoomed(view, factor, place, image, frame));
  };
  const pan = (by: Point) => {
    setMoved(panned(view, by, image, frame));
  };
  const zoomRef = useRef(zoom);
  useEffect(() => {
    zoomRef.current = zoom;
  });
  // React listens to wheels passively, and the page would scroll along.
  useEffect(() => {
    const element = frameRef.current;
    if (element === null) return;
    const onWheel = (event: WheelEvent) => {
      event.preventDefault();
      zoomRef.current(Math.exp(-event.deltaY * WHEEL_SPEED), placeIn(element, event));
    };
    element.addEventListener("wheel", onWheel, { passive: false });
    return () => {
      element.removeEventListener("wheel", onWheel);
    };
  }, []);
  const onPointerMove = (event: PointerEvent<HTMLDivElement>) => {
    const before = pointers.current.get(event.pointerId);
    if (before === undefined) return;
    const now = placeIn(event.currentTarget, event);
    if (!event.currentTarget.hasPointerCapture(event.pointerId)) {
      // Not at once: a captured pointer's click would not reach the shape below it.
      if (distance(now, before) < DRAG_FROM) return;
      event.currentTarget.setPointerCapture(event.pointerId);
    }
    const other = [...pointers.current].find(([id]) => id !== event.pointerId)?.[1];
    pointers.current.set(event.pointerId, now);
    if (other === undefined) pan({ x: now.x - before.x, y: now.y - before.y });
    else zoom(distance(now, other) / Math.max(distance(before, other), 1), middle(now, other));
  };
  const release = (event: PointerEvent<HTMLDivElement>) => {
    pointers.current.delete(event.pointerId);
  };
  const onKeyDown = (event: KeyboardEvent<HTMLDivElement>) => {
    const act = KEYS[event.key];
    if (act === undefined || event.ctrlKey || event.metaKey || event.altKey) return;
    // The whole picture cannot be moved; arrows are then for whoever shows the pictures before and after it.
    if (typeof act === "object" && moved === undefined) return;
    event.preventDefault();
    event.stopPropagation();
    if (act === "fit") setMoved(undefined);
    else if (typeof act === "number") zoom(act);
    else pan(act);
  };
  return (
    <div
      ref={(element) => {
        frameRef.current = element;
        sizeRef(element);
      }}
      className={classes.frame}
      role="application"
      aria-label={`${image.filename}. Plus and minus zoom, the arrow keys move, zero shows the whole picture.`}
      tabIndex={0}
      onKeyDown={onKeyDown}
      onPointerDown={(event) => {
        if ((event.target as Element).closest("button") !== null) return;
        pointers.current.set(event.pointerId, placeIn(event.currentTarget, event));
      }}
      onPointerMove={onPointerMove}
      onPointerUp={release}
      onPointerCancel={release}
      onPointerLeave={(event) => {
        if (!event.currentTarget.hasPointerCapture(event.pointerId)) release(event);
      }}
    >
      <div
        className={classes.layer}
        style={{
          transform: `translate(${view.left}px, ${view.top}px) scale(${view.scale})`,
          // Lines are as thin when the picture is large.
          ["--scale" as string]: view.scale,
        }}
      >
        <img
          src={contentAddress(image.id)}
          alt={image.filename}
          width={image.width}
          height={image.height}
          className={view.scale >= PIXELS_SEEN ? `${classes.image} ${classes.near}` : classes.image}
          draggable={false}
        />
        <svg
          className={classes.shapes}
          width={image.width}
          height={image.height}
          viewBox={`0 0 ${image.width} ${image.height}`}
          aria-hidden
        >
          {annotations.map((annotation) => (
            <AnnotationShape
              key={annotation.id}
              annotation={annotation}
              color={colorOf(annotation.classLabel)}
              chosen={annotation.id === chosen}
              onChoose={onChoose}
            />
          ))}
        </svg>
      </div>
      <ZoomTools
        className={classes.tools}
        scale={view.scale}
        onZoomIn={() => {
          zoom(STEP);
        }}
        onZoomOut={() => {
          zoom(1 / STEP);
        }}
        onFit={() => {
          setMoved(undefined);
        }}
      />
    </div>
  );
}

/** What keys do: zoom by a factor, move, or show the whole. */
const KEYS: Readonly<Record<string, number | Point | "fit">> = {
  "+": STEP,
  "=": STEP,
  "-": 1 / STEP,
  "0": "fit",
  ArrowLeft: { x: KEY_PAN, y: 0 },
  ArrowRight: { x: -KEY_PAN, y: 0 },
  ArrowUp: { x: 0, y: KEY_PAN },
  ArrowDown: { x: 0, y: -KEY_PAN },
};

function placeIn(element: Element, event: { clientX: number; clientY: number }): Point {
  const { left, top } = element.getBoundingClientRect();
  return { x: event.clientX - left, y: event.clientY - top };
}

function distance(a: Point, b: Point): number {
  return Math.hypot(a.x - b.x, a.y - b.y);
}

function middle(a: Point, b: Point): Point {
  return { x: (a.x + b.x) / 2, y: (a.y + b.y) / 2 };
}
