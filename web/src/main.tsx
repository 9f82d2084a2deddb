import "@/app/styles.css";
import { MantineProvider } from "@mantine/core";
import { Notifications } from "@mantine/notifications";
import { QueryClientProvider } from "@tanstack/react-query";
import { RouterProvider } from "@tanstack/react-router";
import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { ApiError, ServerAway } from "@/api/apiError";
import { nonce, shareNonce } from "@/app/nonce";
import { queryClient } from "@/app/queryClient";
import { router } from "@/app/router";
import { theme } from "@/app/theme";

const root = document.getElementById("root");
if (root === null) throw new Error("index.html has no #root.");

/** What a page's error boundary has caught; what the server refuses is no fault of the program. */
function reportUnexpected(error: unknown): void {
  if (!(error instanceof ApiError || error instanceof ServerAway)) reportError(error);
}

shareNonce();
createRoot(root, { onCaughtError: reportUnexpected }).render(
  <StrictMode>
    <MantineProvider theme={theme} defaultColorScheme="auto" getStyleNonce={() => nonce}>
      <QueryClientProvider client={queryClient}>
        <Notifications position="bottom-right" />
        <RouterProvider router={router} />
      </QueryClientProvider>
    </MantineProvider>
  </StrictMode>,
);
