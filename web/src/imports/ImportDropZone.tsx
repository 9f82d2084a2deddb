import { type DragEvent, type ReactNode, useState } from "react";
import { droppedFiles } from "@/imports/chosenFiles";
import { useImport } from "@/imports/useImport";
import { useMay } from "@/session/roles";
import classes from "./ImportDropZone.module.css";

/** A part of the page onto which an archive, images or a folder can be dropped, by those who may. */
export function ImportDropZone({ projectId, children }: { projectId: string; children: ReactNode }) {
  const mayImport = useMay("editor");
  const start = useImport(projectId);
  const [over, setOver] = useState(false);
  if (!mayImport) return children;
  const onDrag = (event: DragEvent<HTMLDivElement>) => {
    if (!event.dataTransfer.types.includes("Files")) return;
    event.preventDefault();
    setOver(true);
  };
  return (
    <div
      className={over ? `${classes.zone} ${classes.over}` : classes.zone}
      data-hint="Drop to import"
      onDragEnter={onDrag}
      onDragOver={onDrag}
      onDragLeave={(event) => {
        if (!event.currentTarget.contains(event.relatedTarget as Node | null)) setOver(false);
      }}
      onDrop={(event) => {
        event.preventDefault();
        setOver(false);
        start(droppedFiles(event.dataTransfer.items));
      }}
    >
      {children}
    </div>
  );
}
