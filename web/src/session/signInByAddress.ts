import type { QueryClient } from "@tanstack/react-query";
import { takeAddressToken } from "@/session/addressToken";
import { sessionQuery } from "@/session/sessionQuery";
import { signIn } from "@/session/sessionService";

/** Signs in with the token of the address, where there is one; throws ApiError when it is not good. */
export async function signInByAddress(queryClient: QueryClient): Promise<void> {
  const token = takeAddressToken();
  if (token !== null) queryClient.setQueryData(sessionQuery.queryKey, await signIn(token));
}
