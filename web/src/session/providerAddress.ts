import type { SignInProvider } from "@/api/generated/schema";

/** Where a browser begins to sign in at a provider, to come back to a page of this app. */
export function providerAddress(provider: SignInProvider, next: string | undefined): string {
  return `${provider.url}?${new URLSearchParams({ return_to: next ?? "/" }).toString()}`;
}
