// Headers that name a dialog: Replaces (RFC 3891 §6.1), Join (RFC 3911 §7.1), Target-Dialog (RFC 4538 §7).
import type { Params } from "../params.ts";
import { Reader } from "../reader.ts";
import { encodeText } from "../text.ts";

export interface Replaces {
  readonly callId: string;
  /** Tags as seen by the receiver of the header: `to-tag` is its local one. Target-Dialog: local-tag and remote-tag. */
  readonly toTag: string;
  readonly fromTag: string;
  readonly earlyOnly: boolean;
  readonly params: Params;
}

export function decodeReplaces(bytes: Uint8Array, start: number, end: number, field: string): Replaces {
  const reader = new Reader(bytes, start, end, field);
  const callId = reader.until("; \t\r\n");
  if (callId === "") reader.fail("the Call-ID is missing");
  const params = reader.params();
  // Target-Dialog is written from its sender's view.
  const toTag = params.get("to-tag") ?? params.get("remote-tag");
  const fromTag = params.get("from-tag") ?? params.get("local-tag");
  if (toTag === undefined || fromTag === undefined) return reader.fail("a tag is missing");
  return { callId, toTag, fromTag, earlyOnly: params.has("early-only"), params };
}

/** What can be printed. */
export type ReplacesInit = Pick<Replaces, "callId" | "toTag" | "fromTag"> & { readonly earlyOnly?: boolean };

export function printReplaces(value: ReplacesInit): string {
  return `${value.callId};to-tag=${value.toTag};from-tag=${value.fromTag}${value.earlyOnly === true ? ";early-only" : ""}`;
}

export function printTargetDialog(value: ReplacesInit): string {
  return `${value.callId};local-tag=${value.fromTag};remote-tag=${value.toTag}`;
}

/** Reads the value of Replaces, e.g. from a Refer-To URI's headers. Throws ParseError. */
export function parseReplaces(text: string): Replaces {
  const bytes = encodeText(text);
  return decodeReplaces(bytes, 0, bytes.length, "Replaces");
}
