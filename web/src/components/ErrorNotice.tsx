import { Alert, Button, Code, Group, Stack, Text } from "@mantine/core";
import { IconAlertTriangle } from "@tabler/icons-react";
import { ApiError } from "@/api/apiError";

/** What went wrong and how to go on, in the place of what should be there. */
export function ErrorNotice({ error, retry }: { error: Error; retry?: () => void }) {
  return (
    <Alert color="red" icon={<IconAlertTriangle aria-hidden />} title="This cannot be shown" role="alert">
      <Stack gap="xs" align="flex-start">
        <Text size="sm">{error.message}</Text>
        <Group gap="sm">
          {retry && (
            <Button size="xs" variant="light" color="red" onClick={retry}>
              Try again
            </Button>
          )}
          {error instanceof ApiError && <Code>{error.reason}</Code>}
        </Group>
      </Stack>
    </Alert>
  );
}
