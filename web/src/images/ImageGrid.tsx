import { useElementSize } from "@mantine/hooks";
import { useWindowVirtualizer } from "@tanstack/react-virtual";
import { useEffect, useLayoutEffect, useState } from "react";
import type { ImageFilter, ProjectImage } from "@/images/imageService";
import { ImageTile } from "@/images/ImageTile";
import classes from "./ImageGrid.module.css";

const GAP = 12;
const NARROWEST_TILE = 150;
/** Height of a picture by its width; others are shown whole within it. */
const ASPECT = 0.75;
/** Below the picture of a tile, pixels for its name. */
const CAPTION = 46;
const ROWS_AHEAD = 4;

interface ImageGridProps {
  images: ProjectImage[];
  /** How many the list has in all, where that is known: the scroll bar is as long from the beginning. */
  total: number;
  filter: ImageFilter;
  hasMore: boolean;
  loading: boolean;
  load: () => void;
}

/** Pictures in rows, of which just those near the window are in the page, however many there are. */
export function ImageGrid({ images, total, filter, hasMore, loading, load }: ImageGridProps) {
  const { ref, width } = useElementSize();
  const [margin, setMargin] = useState(0);
  const columns = Math.max(2, Math.floor((width + GAP) / (NARROWEST_TILE + GAP)));
  const height = Math.round((ASPECT * (width - (columns - 1) * GAP)) / columns);
  const rows = Math.ceil(Math.max(images.length, hasMore ? total : 0) / columns);
  const virtualizer = useWindowVirtualizer({
    count: width === 0 ? 0 : rows,
    estimateSize: () => height + CAPTION,
    gap: GAP,
    overscan: ROWS_AHEAD,
    scrollMargin: margin,
  });
  useLayoutEffect(() => {
    virtualizer.measure();
  }, [height, virtualizer]);
  const visible = virtualizer.getVirtualItems();
  const last = ((visible.at(-1)?.index ?? 0) + 1 + ROWS_AHEAD) * columns;
  useEffect(() => {
    if (hasMore && !loading && last > images.length) load();
  }, [hasMore, loading, last, images.length, load]);
  return (
    <div
      ref={(element) => {
        ref(element);
        if (element !== null) setMargin(element.getBoundingClientRect().top + window.scrollY);
      }}
      className={classes.list}
      style={{ height: virtualizer.getTotalSize() }}
      role="list"
      aria-label="Images"
    >
      {visible.map(({ index, start, key }) => (
        <div
          key={key}
          className={classes.row}
          style={{
            gridTemplateColumns: `repeat(${columns}, minmax(0, 1fr))`,
            transform: `translateY(${start - margin}px)`,
          }}
          role="presentation"
        >
          {places(index, columns, Math.max(images.length, hasMore ? total : 0)).map((place) => (
            <ImageTile key={place} image={images[place]} height={height} filter={filter} />
          ))}
        </div>
      ))}
    </div>
  );
}

/** Places in the list of the images in a row. */
function places(row: number, columns: number, count: number): number[] {
  const first = row * columns;
  return Array.from({ length: Math.min(columns, count - first) }, (_, column) => first + column);
}
