import { Alert } from "@mantine/core";
import { ApiError } from "@/api/apiError";

/** What the server says about a field of a form, named as in the API. */
export function problemOf(error: Error | null, field: string): string | undefined {
  return error instanceof ApiError ? error.fields[field] : undefined;
}

/** What the server says that belongs to none of the form's fields. */
export function FormProblem({ error, fields }: { error: Error | null; fields: readonly string[] }) {
  if (error === null || fields.some((field) => problemOf(error, field) !== undefined)) return null;
  return (
    <Alert color="red" role="alert">
      {error.message}
    </Alert>
  );
}
