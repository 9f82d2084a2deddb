/** The token in the fragment of the address, `#token=…`, which browsers never send to a server. */
export function addressToken(hash: string): string | null {
  return new URLSearchParams(hash.replace(/^#/, "")).get("token");
}

/** The token of the address, which is taken out of the address bar and of the history. */
export function takeAddressToken(): string | null {
  const token = addressToken(window.location.hash);
  if (token !== null) {
    window.history.replaceState(window.history.state, "", window.location.pathname + window.location.search);
  }
  return token;
}
