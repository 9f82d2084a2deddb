import type { Point } from "@/images/shape";

/** How a picture lies in its frame: its corner in pixels of the frame, and frame pixels per image pixel. */
export interface View {
  scale: number;
  left: number;
  top: number;
}

export interface Size {
  width: number;
  height: number;
}

/** Frame pixels per image pixel at most: single pixels can be seen. */
const LARGEST_SCALE = 40;

/** The picture as a whole, centred. Small ones are enlarged, at most four times. */
export function fitted(image: Size, frame: Size): View {
  const scale = Math.min(frame.width / image.width, frame.height / image.height, 4);
  return centred(image, frame, scale);
}

/** Nearer (`factor` above 1) or farther; what is at `place` of the frame stays there. */
export function zoomed(view: View, factor: number, place: Point, image: Size, frame: Size): View {
  const smallest = Math.min(fitted(image, frame).scale, 1);
  const scale = Math.min(Math.max(view.scale * factor, smallest), LARGEST_SCALE);
  const grown = scale / view.scale;
  return kept(
    {
      scale,
      left: place.x - (place.x - view.left) * grown,
      top: place.y - (place.y - view.top) * grown,
    },
    image,
    frame,
  );
}

/** Moved by so many pixels of the frame. */
export function panned(view: View, by: Point, image: Size, frame: Size): View {
  return kept({ ...view, left: view.left + by.x, top: view.top + by.y }, image, frame);
}

/** The nearest view that does not lose the picture out of the frame. */
function kept(view: View, image: Size, frame: Size): View {
  const middle = centred(image, frame, view.scale);
  return {
    scale: view.scale,
    left: bounded(view.left, frame.width - image.width * view.scale, middle.left),
    top: bounded(view.top, frame.height - image.height * view.scale, middle.top),
  };
}

/** Where there is room, the middle; otherwise no gap at either edge. */
function bounded(place: number, slack: number, middle: number): number {
  return slack >= 0 ? middle : Math.min(Math.max(place, slack), 0);
}

function centred(image: Size, frame: Size, scale: number): View {
  return {
    scale,
    left: (frame.width - image.width * scale) / 2,
    top: (frame.height - image.height * scale) / 2,
  };
}
