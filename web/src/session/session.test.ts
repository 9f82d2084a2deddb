// @vitest-environment jsdom
import { expect, test } from "vitest";
import { addressToken, takeAddressToken } from "@/session/addressToken";
import { providerAddress } from "@/session/providerAddress";
import { includes } from "@/session/roles";

test("the token of an address is read from its fragment alone", () => {
  expect(addressToken("#token=a.b-c_d.e")).toBe("a.b-c_d.e");
  expect(addressToken("")).toBeNull();
  expect(addressToken("#section")).toBeNull();
});

test("a taken token is gone from the address, and the rest of it stays", () => {
  window.history.replaceState(null, "", "/projects?q=cells#token=a.b.c");
  expect(takeAddressToken()).toBe("a.b.c");
  expect(window.location.href).toMatch(/\/projects\?q=cells$/);
  expect(takeAddressToken()).toBeNull();
});

test("roles include those below them, and workers none", () => {
  expect(includes("admin", "editor")).toBe(true);
  expect(includes("editor", "viewer")).toBe(true);
  expect(includes("viewer", "editor")).toBe(false);
  expect(includes("worker", "viewer")).toBe(false);
});

test("a provider brings people back to the page that they wanted, with its own query", () => {
  const provider = { name: "Lab", url: "https://forge.example/api/v1/session/authorize" };
  expect(providerAddress(provider, "/jobs?status=training&q=a b")).toBe(
    `${provider.url}?return_to=%2Fjobs%3Fstatus%3Dtraining%26q%3Da+b`,
  );
  expect(providerAddress(provider, undefined)).toBe(`${provider.url}?return_to=%2F`);
});
