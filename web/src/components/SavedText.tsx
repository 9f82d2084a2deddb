import { type ReactNode, useState } from "react";

interface Field {
  value: string;
  onChange: (value: string) => void;
  onBlur: () => void;
  onKeyDown: (event: { key: string }) => void;
}

interface SavedTextProps {
  saved: string;
  save: (value: string) => void;
  children: (field: Field) => ReactNode;
}

/** A text that is saved when one leaves its field or presses Enter, and given up with Escape. */
export function SavedText({ saved, save, children }: SavedTextProps) {
  const [value, setValue] = useState(saved);
  const commit = () => {
    const wanted = value.trim();
    if (wanted !== saved) save(wanted);
  };
  return children({
    value,
    onChange: setValue,
    onBlur: commit,
    onKeyDown: ({ key }) => {
      if (key === "Enter") commit();
      if (key === "Escape") setValue(saved);
    },
  });
}
