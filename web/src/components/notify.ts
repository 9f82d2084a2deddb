import { notifications } from "@mantine/notifications";

const ERROR_MS = 10_000;
const closeButtonProps = { "aria-label": "Dismiss" };

/** Says at the edge of the screen that something has been done. */
export function notifyDone(message: string): void {
  notifications.show({ message, color: "teal", closeButtonProps });
}

/** Says what went wrong, where no form or page has a better place for it. */
export function notifyError(error: Error): void {
  notifications.show({
    title: "That did not work",
    message: error.message,
    color: "red",
    autoClose: ERROR_MS,
    closeButtonProps,
  });
}
