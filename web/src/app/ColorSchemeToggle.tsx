import { ActionIcon, Tooltip, useComputedColorScheme, useMantineColorScheme } from "@mantine/core";
import { IconMoon, IconSun } from "@tabler/icons-react";

/** Changes between light and dark; the system's choice stands until then. */
export function ColorSchemeToggle() {
  const { setColorScheme } = useMantineColorScheme();
  const other = useComputedColorScheme("light") === "light" ? "dark" : "light";
  const label = `Use the ${other} colours`;
  return (
    <Tooltip label={label}>
      <ActionIcon
        variant="subtle"
        color="gray"
        size="lg"
        aria-label={label}
        onClick={() => {
          setColorScheme(other);
        }}
      >
        {other === "dark" ? <IconMoon size={19} /> : <IconSun size={19} />}
      </ActionIcon>
    </Tooltip>
  );
}
