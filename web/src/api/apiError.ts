import type { ErrorResponse } from "@/api/generated/schema";

type ResponseError = ErrorResponse["error"];

/** What the server says is wrong: a stable reason for programs, a sentence for people. */
export class ApiError extends Error {
  override readonly name = "ApiError";
  readonly status: number;
  readonly reason: string;
  /** Which fields of the input are wrong, by their path, such as `config.epochs`. */
  readonly fields: Readonly<Record<string, string>>;

  constructor(problem: ResponseError) {
    super(problem.message);
    this.status = problem.code;
    this.reason = problem.reason;
    this.fields = Object.fromEntries(problem.details.map(({ field, description }) => [field, description]));
  }
}

/** The server, or a proxy before it, did not answer in a form that is ours. */
export class ServerAway extends Error {
  override readonly name = "ServerAway";

  constructor(options?: ErrorOptions) {
    super("The server does not answer.", options);
  }
}

/** Whether the same call may succeed in a moment. */
export function isTransient(error: unknown): boolean {
  return error instanceof ServerAway || (error instanceof ApiError && [502, 503, 504].includes(error.status));
}

export function isNotFound(error: unknown): boolean {
  return error instanceof ApiError && error.status === 404;
}

export function isSignedOut(error: unknown): boolean {
  return error instanceof ApiError && error.status === 401;
}
