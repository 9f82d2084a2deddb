import { answerOf, api } from "@/api/client";
import type { Principal, Session, SignInProvider } from "@/api/generated/schema";

export type Role = Principal["role"];

/** Who is signed in. */
export interface SignedIn {
  subject: string;
  role: Role;
}

/** Who is signed in; null when nobody is. */
export async function getSession(): Promise<SignedIn | null> {
  return signedIn(await answerOf(api.GET("/api/v1/session")));
}

/** At whose page people may sign in; null where tokens alone count. */
export async function getProvider(): Promise<SignInProvider | null> {
  return (await answerOf(api.GET("/api/v1/session"))).provider ?? null;
}

/** Exchanges a token for the session's cookie; ApiError when the token is not good. */
export async function signIn(token: string): Promise<SignedIn | null> {
  return signedIn(await answerOf(api.POST("/api/v1/session", { body: { token } })));
}

export async function signOut(): Promise<void> {
  await answerOf(api.DELETE("/api/v1/session"));
}

function signedIn(session: Session): SignedIn | null {
  return session.principal ?? null;
}
