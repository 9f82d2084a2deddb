import { Button, Group } from "@mantine/core";
import { IconFileZip, IconFolder } from "@tabler/icons-react";
import { type ChangeEvent, useRef } from "react";
import { pickedFiles } from "@/imports/chosenFiles";
import { useImportState } from "@/imports/importStore";
import { useImport } from "@/imports/useImport";

/** Choose an archive, images or a folder from the disk. */
export function ImportButtons({ projectId }: { projectId: string }) {
  const files = useRef<HTMLInputElement>(null);
  const folder = useRef<HTMLInputElement>(null);
  const start = useImport(projectId);
  const state = useImportState(projectId);
  const busy = state !== undefined && "stop" in state;
  const onChange = (event: ChangeEvent<HTMLInputElement>) => {
    const chosen = event.currentTarget.files;
    if (chosen !== null) start(pickedFiles(chosen));
    // The same choice again is a change again.
    event.currentTarget.value = "";
  };
  return (
    <Group gap="xs">
      <input
        ref={files}
        type="file"
        multiple
        hidden
        accept=".zip,.tar,.gz,.tgz,image/*"
        aria-label="Files to import"
        onChange={onChange}
      />
      <input
        ref={(element) => {
          folder.current = element;
          // React does not know this attribute's type.
          element?.setAttribute("webkitdirectory", "");
        }}
        type="file"
        hidden
        aria-label="Folder to import"
        onChange={onChange}
      />
      <Button leftSection={<IconFileZip size={18} />} disabled={busy} onClick={() => files.current?.click()}>
        Import files
      </Button>
      <Button
        // Phones have no folders to choose.
        visibleFrom="sm"
        variant="default"
        leftSection={<IconFolder size={18} />}
        disabled={busy}
        onClick={() => folder.current?.click()}
      >
        Import a folder
      </Button>
    </Group>
  );
}
