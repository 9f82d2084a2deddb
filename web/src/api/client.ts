import createClient from "openapi-fetch";
import { ApiError, ServerAway } from "@/api/apiError";
import type { ErrorResponse, paths } from "@/api/generated/schema";
import { serverPresence } from "@/api/serverPresence";

/** The REST API. The session's cookie travels by itself. */
export const api = createClient<paths>({ baseUrl: window.location.origin, fetch: presentFetch });

interface Answer<Data> {
  data?: Data;
  error?: unknown;
  response: Response;
}

/** The body of an answer that is good; throws ApiError or ServerAway. */
export async function answerOf<Data>(call: Promise<Answer<Data>>): Promise<Data> {
  const { data, error, response } = await call;
  if (response.ok) return data as Data;
  throw isErrorResponse(error) ? new ApiError(error.error) : new ServerAway({ cause: error });
}

/** fetch that tells `serverPresence` whether somebody answers. */
async function presentFetch(request: Request): Promise<Response> {
  try {
    const response = await fetch(request);
    serverPresence.answered();
    return response;
  } catch (error) {
    if (request.signal.aborted) throw error;
    serverPresence.missed();
    throw new ServerAway({ cause: error });
  }
}

/** Whether a body is what the API answers when something is wrong. */
export function isErrorResponse(body: unknown): body is ErrorResponse {
  return typeof body === "object" && body !== null && "error" in body && typeof body.error === "object";
}
