// What a peer reads out of messages as they stand: transaction, dialog, remote target and route. RFC 3261 §12, §17.

import type { WireText } from "@offhook/sip/testing";
import { fieldOf } from "./recording.ts";

/** Branch and method of the transaction (§17.1.3, §17.2.3), then the dialog's key; an ACK finds its INVITE. */
export function transactionKey(message: WireText): string {
  const via = fieldOf(message, "Via") ?? "";
  const branch = /;\s*branch=([^;,\s]+)/i.exec(via)?.[1] ?? "";
  const method = (fieldOf(message, "CSeq") ?? "").replace(/^\d+\s+/, "").replace(/^ACK$/, "INVITE");
  return `${branch} ${method} ${dialogKey(message)}`;
}

/** Call-ID and CSeq number: what a 2xx and its ACK share. */
export function dialogKey(message: WireText): string {
  return `${fieldOf(message, "Call-ID")}#${Number.parseInt(fieldOf(message, "CSeq") ?? "0", 10)}`;
}

/** CANCEL, or the ACK of a non-2xx: Via, From, Call-ID, CSeq number and Route of the INVITE (§9.1, §17.1.1.3). */
export function hopByHop(method: "ACK" | "CANCEL", invite: WireText, to: string): string {
  const routes = invite.fields.filter((field) => /^route\s*:/i.test(field));
  return [
    invite.startLine.replace(/^INVITE/, method),
    `Via: ${fieldOf(invite, "Via")}`,
    "Max-Forwards: 70",
    ...routes,
    `From: ${fieldOf(invite, "From")}`,
    `To: ${to}`,
    `Call-ID: ${fieldOf(invite, "Call-ID")}`,
    `CSeq: ${Number.parseInt(fieldOf(invite, "CSeq") ?? "1", 10)} ${method}`,
    "Content-Length: {length}",
  ].join("\n");
}

/** The tag of a From or To. */
export function tagOf(address: string): string {
  return /;tag=([^;]+)/.exec(address)?.[1] ?? "";
}

/** The URI of its Contact. */
export function contactOf(message: WireText): string {
  const contact = /<([^>]+)>|^([^;]+)/.exec(fieldOf(message, "Contact") ?? "");
  return contact?.[1] ?? contact?.[2] ?? "";
}

/** The values of its Record-Route, in their order. */
export function routesOf({ fields }: WireText): string[] {
  return fields
    .filter((field) => /^record-route\s*:/i.test(field))
    .flatMap((field) => field.slice(field.indexOf(":") + 1).split(","))
    .map((route) => route.trim());
}

/** The names of field lines up to the body, in lower case; those that are to be left out too. */
export function namesIn(lines: readonly string[]): ReadonlySet<string> {
  const gap = lines.indexOf("");
  return new Set((gap < 0 ? lines : lines.slice(0, gap)).map(nameIn));
}

/** The name of a field line, in lower case. */
export function nameIn(line: string): string {
  return line.replace(/^!/, "").split(":", 1)[0]!.trim().toLowerCase();
}
