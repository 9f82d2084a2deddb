import { Alert, Loader, Text } from "@mantine/core";
import { useSyncExternalStore } from "react";
import { serverPresence } from "@/api/serverPresence";

/** Says that the server does not answer, until it does. */
export function ServerAwayBanner() {
  const away = useSyncExternalStore(serverPresence.subscribe, serverPresence.isAway);
  if (!away) return null;
  return (
    <Alert
      color="yellow"
      mb="md"
      role="status"
      icon={<Loader size={18} color="yellow" />}
      title={
        <Text inherit c="var(--mantine-color-text)">
          The server does not answer
        </Text>
      }
    >
      What you see is what it said last. Trainings go on without this page; it catches up by itself.
    </Alert>
  );
}
