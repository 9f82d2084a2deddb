import { Alert, Button, CloseButton, Group, Paper, Progress, Stack, Text } from "@mantine/core";
import { bytes } from "@/components/bytes";
import { ImportReportView } from "@/imports/ImportReportView";
import { importStore, useImportState } from "@/imports/importStore";

/** How far the import into a project is, and what it has brought. Nothing while there is none. */
export function ImportPanel({ projectId }: { projectId: string }) {
  const state = useImportState(projectId);
  if (state === undefined) return null;
  const close = () => {
    importStore.forget(projectId);
  };
  return (
    <Paper withBorder p="md" component="section" aria-label="Import">
      <Stack gap="sm">
        <Group justify="space-between" wrap="nowrap" align="flex-start">
          <Text fw={600}>{TITLES[state.stage](state.name)}</Text>
          {"stop" in state ? (
            <Button variant="default" size="xs" onClick={state.stop}>
              Stop
            </Button>
          ) : (
            <CloseButton onClick={close} aria-label="Close the report" />
          )}
        </Group>
        {state.stage === "sending" && (
          <>
            <Progress
              value={(100 * state.progress.sent) / state.progress.total}
              aria-label="Share of the bytes that are sent"
            />
            <Text size="sm" c="dimmed">
              {bytes(state.progress.sent)} of {bytes(state.progress.total)} sent
            </Text>
          </>
        )}
        {state.stage === "reading" && (
          <Progress value={100} animated aria-label="The images and labels are being read" />
        )}
        {state.stage === "done" && <ImportReportView report={state.report} />}
        {state.stage === "failed" && (
          <Alert color="red" role="alert">
            {state.error.message}
          </Alert>
        )}
      </Stack>
    </Paper>
  );
}

const TITLES = {
  sending: (name: string) => `Sending ${name}`,
  reading: (name: string) => `Reading ${name}`,
  done: (name: string) => `${name} is imported`,
  failed: (name: string) => `${name} could not be imported`,
};
