import { createTheme, type MantineColorsTuple } from "@mantine/core";

const forge: MantineColorsTuple = [
  "#eef2ff",
  "#dbe3fd",
  "#b5c4f7",
  "#8ba3f2",
  "#6887ee",
  "#5275eb",
  "#4169e1",
  "#3559c9",
  "#2d4fb4",
  "#20439f",
];

/** Colours, type and spacing of the app. Texts reach a contrast of 4.5 in both schemes. */
export const theme = createTheme({
  colors: { forge },
  primaryColor: "forge",
  primaryShade: { light: 7, dark: 7 },
  autoContrast: true,
  defaultRadius: "md",
  fontFamily: "system-ui, -apple-system, 'Segoe UI', Roboto, 'DejaVu Sans', sans-serif",
  fontFamilyMonospace: "ui-monospace, SFMono-Regular, Menlo, 'DejaVu Sans Mono', monospace",
  headings: { fontWeight: "650" },
  cursorType: "pointer",
  // Components would wait for the ends of transitions that styles.css has taken away.
  respectReducedMotion: true,
  components: {
    // Their text is never cut.
    Badge: { defaultProps: { variant: "light", tt: "none", fw: 600, miw: "max-content" } },
  },
});
