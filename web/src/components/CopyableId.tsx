import { ActionIcon, Code, CopyButton, Group, Tooltip } from "@mantine/core";
import { IconCheck, IconCopy } from "@tabler/icons-react";

const SHOWN = 8;

/** The end of a long id, whose beginning is often the time, the whole of it on hover, and a button that copies it. */
export function CopyableId({ id, label = "id" }: { id: string; label?: string }) {
  // Browsers lend the clipboard to https and this machine alone.
  if (!window.isSecureContext) return <Code>{id}</Code>;
  return (
    <Group gap={4} wrap="nowrap" component="span" display="inline-flex">
      <Code title={id}>{id.length > SHOWN + 1 ? `…${id.slice(-SHOWN)}` : id}</Code>
      <CopyButton value={id}>
        {({ copied, copy }) => (
          <Tooltip label={copied ? "Copied" : `Copy ${label}`}>
            <ActionIcon
              variant="subtle"
              color={copied ? "teal" : "gray"}
              size="sm"
              onClick={copy}
              aria-label={`Copy ${label}`}
            >
              {copied ? <IconCheck size={14} /> : <IconCopy size={14} />}
            </ActionIcon>
          </Tooltip>
        )}
      </CopyButton>
    </Group>
  );
}
