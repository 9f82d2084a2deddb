import { IconPhoto } from "@tabler/icons-react";
import { useQuery } from "@tanstack/react-query";
import { thumbnailAddress } from "@/images/imageService";
import { projectCoverQuery } from "@/projects/projectQueries";
import type { Project } from "@/projects/projectService";
import classes from "./ProjectCard.module.css";

const THUMBNAIL = 256;

/** A strip of a project's first images. */
export function ProjectCover({ project }: { project: Project }) {
  const { data: images } = useQuery({
    ...projectCoverQuery(project.id),
    enabled: project.imageCount > 0,
  });
  return (
    <div className={classes.cover} aria-hidden>
      {project.imageCount === 0 && (
        <div className={classes.none}>
          <IconPhoto size={32} stroke={1.2} />
        </div>
      )}
      {images?.map(({ id }) => (
        <img
          key={id}
          src={thumbnailAddress(id, THUMBNAIL)}
          alt=""
          className={classes.picture}
          loading="lazy"
          decoding="async"
        />
      ))}
    </div>
  );
}
