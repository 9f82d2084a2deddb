import { Skeleton, Text, ThemeIcon } from "@mantine/core";
import { IconCheck } from "@tabler/icons-react";
import { Link } from "@tanstack/react-router";
import { count } from "@/components/count";
import { partsOf } from "@/images/filename";
import { type ImageFilter, type ProjectImage, thumbnailAddress } from "@/images/imageService";
import classes from "./ImageTile.module.css";

const THUMBNAIL = 256;

interface ImageTileProps {
  /** Undefined while it is being loaded. */
  image: ProjectImage | undefined;
  /** Of the picture, in pixels. */
  height: number;
  /** Goes along, so that the image's page knows its neighbours in the list. */
  filter: ImageFilter;
}

/** A picture in a grid, with its name and what is labelled on it. */
export function ImageTile({ image, height, filter }: ImageTileProps) {
  if (image === undefined)
    return <Skeleton height={height} radius="md" role="listitem" aria-label="Loading" />;
  return (
    <div role="listitem">
      <Link
        to="/projects/$projectId/images/$imageId"
        params={{ projectId: image.projectId, imageId: image.id }}
        search={filter}
        className={classes.tile}
      >
        <div className={classes.picture} style={{ height }}>
          <img
            src={thumbnailAddress(image.id, THUMBNAIL)}
            alt=""
            className={classes.thumbnail}
            loading="lazy"
            decoding="async"
          />
          {image.reviewed && (
            <ThemeIcon className={classes.reviewed} size="sm" radius="xl" color="teal" title="Reviewed">
              <IconCheck size={14} aria-label="Reviewed" />
            </ThemeIcon>
          )}
        </div>
        <Text size="xs" className={classes.name} title={image.filename} mt={4}>
          {partsOf(image.filename).base}
        </Text>
        <Text size="xs" c="dimmed" className={classes.name}>
          {labelsOf(image)}
        </Text>
      </Link>
    </div>
  );
}

function labelsOf(image: ProjectImage): string {
  const annotations = image.annotationCount > 0 ? count(image.annotationCount, "annotation") : "";
  return [image.imageClass, annotations].filter(Boolean).join(" · ") || "No labels";
}
