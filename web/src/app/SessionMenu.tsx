import { ActionIcon, Menu, Text } from "@mantine/core";
import { IconBook2, IconLogout, IconUser } from "@tabler/icons-react";
import { useMutation, useQueryClient, useSuspenseQuery } from "@tanstack/react-query";
import { useRouter } from "@tanstack/react-router";
import { forgetEverything } from "@/session/providerQuery";
import { sessionQuery } from "@/session/sessionQuery";
import { signOut } from "@/session/sessionService";

/** Who is signed in, the API's documentation, and the way out. */
export function SessionMenu() {
  const { data: session } = useSuspenseQuery(sessionQuery);
  const queryClient = useQueryClient();
  const router = useRouter();
  const leaving = useMutation({
    mutationFn: signOut,
    onSuccess: async () => {
      await router.navigate({ to: "/sign-in" });
      forgetEverything(queryClient);
    },
  });
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
        <Menu.Item
          leftSection={<IconLogout size={16} />}
          onClick={() => {
            leaving.mutate();
          }}
        >
          Sign out
        </Menu.Item>
      </Menu.Dropdown>
    </Menu>
  );
}
