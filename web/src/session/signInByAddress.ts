import type { QueryClient } from "@tanstack/react-query";
import { ApiError } from "@/api/apiError";
import { takeAddressToken } from "@/session/addressToken";
import { sessionQuery } from "@/session/sessionQuery";
import { signIn } from "@/session/sessionService";

const NOTHING: Promise<string | undefined> = Promise.resolve(undefined);
let exchange = NOTHING;

/**
 * Signs in with the token of the address, where there is one; what is wrong with it otherwise.
 *
 * Taking the token out of the address is a navigation itself, which must wait for the same exchange.
 */
export async function signInByAddress(queryClient: QueryClient): Promise<string | undefined> {
  const token = takeAddressToken();
  if (token !== null) exchange = exchanged(token, queryClient);
  const running = exchange;
  const problem = await running;
  if (exchange === running) exchange = NOTHING;
  return problem;
}

async function exchanged(token: string, queryClient: QueryClient): Promise<string | undefined> {
  try {
    queryClient.setQueryData(sessionQuery.queryKey, await signIn(token));
    return undefined;
  } catch (error) {
    if (error instanceof ApiError) return error.message;
    throw error;
  }
}
