import { Table, type TableProps } from "@mantine/core";

interface ScrollTableProps extends TableProps {
  /** What the table shows, for those who cannot see it. */
  label: string;
  /** Width in pixels below which it scrolls sideways. */
  minWidth: number;
  /** Height in pixels from which it scrolls. */
  maxHeight?: number;
}

/** A table that scrolls in its own place where the window is narrow, with the keyboard too. */
export function ScrollTable({ label, minWidth, maxHeight, ...table }: ScrollTableProps) {
  return (
    <Table.ScrollContainer
      type="native"
      minWidth={minWidth}
      {...(maxHeight !== undefined && { maxHeight })}
      role="region"
      aria-label={label}
      tabIndex={0}
    >
      <Table verticalSpacing={6} {...table} />
    </Table.ScrollContainer>
  );
}
