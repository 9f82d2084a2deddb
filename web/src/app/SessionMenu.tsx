import { ActionIcon, Menu, Text } from "@mantine/core";
import { IconBook2, IconLogout, IconUser } from "@tabler/icons-react";
import { useSuspenseQuery } from "@tanstack/react-query";
import { sessionQuery } from "@/session/sessionQuery";

/** Who is signed in, the API's documentation, and the way out. */
export function SessionMenu({ onSignOut }: { onSignOut: () => void }) {
  const { data: session } = useSuspenseQuery(sessionQuery);
  return (
    <Menu position="bottom-end" width={220}>
      <Menu.Target>
        <ActionIcon variant="subtle" color="gray" size="lg" aria-label="You and this server">
          <IconUser size={19} />
        </ActionIcon>
      </Menu.Target>
      <Menu.Dropdown>
        <Menu.Label>
          Signed in as {session?.subject}
          <Text size="xs" c="dimmed">
            Role: {session?.role}
          </Text>
        </Menu.Label>
        <Menu.Item leftSection={<IconBook2 size={16} />} component="a" href="/docs">
          API reference
        </Menu.Item>
        <Menu.Divider />
        <Menu.Item leftSection={<IconLogout size={16} />} onClick={onSignOut}>
          Sign out
        </Menu.Item>
      </Menu.Dropdown>
    </Menu>
  );
}
