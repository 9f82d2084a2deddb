import { setNonce } from "get-nonce";

/** The nonce of this page's Content-Security-Policy; empty under `npm run dev`, which has none. */
export const nonce = document.querySelector<HTMLMetaElement>('meta[property="csp-nonce"]')?.nonce ?? "";

/** Gives it to the libraries that write style elements and ask nobody. */
export function shareNonce(): void {
  if (nonce) setNonce(nonce);
}
