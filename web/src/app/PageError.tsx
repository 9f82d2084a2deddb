import { Button, Code, Stack, Text } from "@mantine/core";
import { IconAlertTriangle } from "@tabler/icons-react";
import { useQueryErrorResetBoundary } from "@tanstack/react-query";
import { useRouter } from "@tanstack/react-router";
import { ApiError, isNotFound, isTransient } from "@/api/apiError";
import { NotFoundPage } from "@/app/NotFoundPage";
import { EmptyState } from "@/components/EmptyState";

interface PageErrorProps {
  error: unknown;
  reset: () => void;
}

/** In the place of a page that cannot be shown: what happened and how to go on. */
export function PageError({ error, reset }: PageErrorProps) {
  const router = useRouter();
  const { reset: resetQueries } = useQueryErrorResetBoundary();
  const message = error instanceof Error ? error.message : String(error);
  if (isNotFound(error)) return <NotFoundPage message={message} />;
  const known = error instanceof ApiError || isTransient(error);
  const again = () => {
    resetQueries();
    reset();
    void router.invalidate();
  };
  return (
    <EmptyState
      icon={IconAlertTriangle}
      alone
      title={known ? "This page cannot be shown" : "Something went wrong on this page"}
      action={
        <Stack align="center" gap="xs">
          <Button onClick={known ? again : reload}>{known ? "Try again" : "Reload"}</Button>
          {error instanceof ApiError && <Code>{error.reason}</Code>}
        </Stack>
      }
    >
      {known ? message : "Reloading may help, for instance after the server was updated."}
      {!known && (
        <Text size="xs" mt="xs" component="span" display="block">
          {message}
        </Text>
      )}
    </EmptyState>
  );
}

function reload(): void {
  window.location.reload();
}
