// Patterns against many messages: what fits, and why nothing does.

import { type Captures, matchText, WireMismatch, type WireText } from "@offhook/sip/testing";

/** A message that fits, and what the pattern captured from it. */
export interface Match<M extends WireText> {
  readonly message: M;
  readonly captured: Captures;
}

/** Those that fit, in their order. */
export function matchesOf<M extends WireText>(
  pattern: string,
  messages: readonly M[],
  known: Captures,
): Match<M>[] {
  return messages.flatMap((message) => {
    try {
      return [{ message, captured: matchText(pattern, message, known) }];
    } catch (error) {
      if (error instanceof WireMismatch) return [];
      throw error;
    }
  });
}

/** Why nothing fits: the mismatch with the message that resembles it most, else what there is at all. */
export function whyNoMatch(
  pattern: string,
  messages: readonly WireText[],
  known: Captures,
  who: string,
): string {
  const [wanted = ""] = pattern.trim().split("\n");
  const beginning = ({ startLine }: { startLine: string }) => startLine.slice(0, "SIP/2.0 486".length);
  const near = messages.find((message) => beginning(message) === beginning({ startLine: wanted }));
  if (near !== undefined) {
    try {
      matchText(pattern, near, known);
    } catch (error) {
      return (error as Error).message;
    }
  }
  const there = messages.map(({ startLine }) => `  ${startLine}`).join("\n");
  return `${who}, expected:\n${pattern}\n${there === "" ? "and there was nothing" : `but there was:\n${there}`}`;
}
