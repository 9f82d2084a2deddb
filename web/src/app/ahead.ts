import { noop } from "@tanstack/react-query";

/**
 * Takes what a route's loader asks for while the page's code is still on its way. The page waits for none of it: what fails is
 * asked for again, and said, by the part that shows it.
 */
export function ahead(...answers: Promise<unknown>[]): void {
  for (const answer of answers) answer.catch(noop);
}
