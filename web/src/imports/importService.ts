import { ApiError, ServerAway } from "@/api/apiError";
import { isErrorResponse } from "@/api/client";
import type { ImportedClass, ImportReport as WireReport, ProblemCount } from "@/api/generated/schema";
import type { ImportSource } from "@/imports/chosenFiles";

/** What an import brought and what it could not bring, with the API's own names. */
export type ImportReport = WireReport;
export type ImportProblem = WireReport["problems"][number];
export type { ImportedClass, ProblemCount };

export interface UploadProgress {
  sent: number;
  total: number;
}

/**
 * Sends an archive to a project and answers the report; throws ApiError or ServerAway.
 * XMLHttpRequest, since fetch does not tell how far an upload is.
 */
export function importArchive(
  projectId: string,
  { content }: ImportSource,
  onProgress: (progress: UploadProgress) => void,
  signal: AbortSignal,
): Promise<ImportReport> {
  return new Promise((done, failed) => {
    const request = new XMLHttpRequest();
    request.open("POST", `/api/v1/projects/${encodeURIComponent(projectId)}/import`);
    request.setRequestHeader("Content-Type", "application/octet-stream");
    request.responseType = "json";
    request.upload.addEventListener("progress", ({ loaded, total }) => {
      onProgress({ sent: loaded, total });
    });
    request.addEventListener("load", () => {
      if (request.status === 200) done(request.response as ImportReport);
      else
        failed(isErrorResponse(request.response) ? new ApiError(request.response.error) : new ServerAway());
    });
    request.addEventListener("error", () => {
      failed(new ServerAway());
    });
    request.addEventListener("abort", () => {
      failed(new DOMException("The import was stopped.", "AbortError"));
    });
    signal.addEventListener("abort", () => {
      request.abort();
    });
    request.send(content);
  });
}
