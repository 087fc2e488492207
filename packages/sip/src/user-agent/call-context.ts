// What calls and registrations get from their user agent.

import type { AuthSession } from "../auth/index.ts";
import {
  type Refusal,
  type ResponseContext,
  sessionDescriptionOf,
  type Uac,
  type UasRules,
} from "../core/index.ts";
import type { Dialog, Dialogs, RequestContent } from "../dialog/index.ts";
import type { NegotiationError } from "../errors.ts";
import type { HeaderInit, SipRequest, SipResponse } from "../message/index.ts";
import type { Clock, Random } from "../ports.ts";
import type { IncomingRequest, Stack } from "../stack.ts";
import type { Call } from "./call.ts";
import type { MediaSession } from "./media-session.ts";

/** Base values of RFC 3261 §17.1.1.1 in milliseconds; 2xx are resent by them too (§13.3.1.4). */
export interface CallTimers {
  readonly T1: number;
  readonly T2: number;
}

/** Takes a request inside a call's dialog; it has passed the checks of §8.2 and of its CSeq. */
export type InDialogHandler = (incoming: IncomingRequest, call: Call) => void;

export interface CallContext {
  readonly stack: Stack;
  readonly clock: Clock;
  readonly random: Random;
  readonly uac: Uac;
  readonly dialogs: Dialogs;
  readonly timers: CallTimers;
  readonly rules: UasRules;
  /** Nobody else answers calls of this user: what is not acceptable here is not acceptable (§21.6.4). */
  readonly isSoleEndpoint: boolean;
  /** Methods inside a call beyond ACK, BYE, CANCEL, INVITE. */
  readonly inDialog: ReadonlyMap<string, InDialogHandler>;
  /** Header fields that tell what we can: Allow, Supported, User-Agent or Server. */
  capabilities(message: "request" | "response"): HeaderInit[];
  /** Our Contact as a header value. */
  contact(sentBy: string, transport: string, isSecure?: boolean): string;
  authSession(): AuthSession | undefined;
  /** The media of an incoming call; undefined if the application gives descriptions itself. */
  createMedia(call: Call): MediaSession | undefined;
  onCallEnded(call: Call): void;
  /** BYEs that wait for their answer; a user agent that stops waits for them too. */
  readonly farewells: Set<Promise<void>>;
  reportError(error: unknown): void;
}

/** Headers of every response that makes or refreshes a dialog (§12.1.1). */
export function dialogHeaders(request: SipRequest, contact: string): HeaderInit[] {
  return [
    ...request.headers.rawAll("Record-Route").map((value): HeaderInit => ["Record-Route", value]),
    ["Contact", contact],
  ];
}

/** The session description in a message, on its own or in a multipart body. */
export function sdpOf(message: SipRequest | SipResponse): string | undefined {
  return sessionDescriptionOf(message);
}

/**
 * The offer cannot be taken; the session stays as it was. §21.4.1: 400 if it cannot be read; §21.4.26: 488, with a
 * Warning and, if there are any, our capabilities (RFC 3264 §9); §21.6.4: 606 if it can be taken nowhere.
 */
export function refusalOfOffer(
  { warning, message, isMalformed }: NegotiationError,
  options: { isNowhere?: boolean; capabilities?: string | undefined } = {},
): Refusal {
  const headers = [warningHeader(warning ?? 399, message)];
  if (isMalformed) return { statusCode: 400, options: { headers, reasonPhrase: "Bad Session Description" } };
  const { isNowhere = false, capabilities } = options;
  return {
    statusCode: isNowhere ? 606 : 488,
    options: {
      headers,
      ...(capabilities === undefined ? {} : { body: capabilities, contentType: "application/sdp" }),
    },
  };
}

/** §20.43: who warns is a name of ours, "offhook". */
function warningHeader(code: number, text: string): HeaderInit {
  return ["Warning", `${code} offhook "${text.replace(/[^ !#-[\]-~]/g, "?")}"`];
}

/** Sends a request inside a dialog and waits for its final response, whatever that is. */
export function sendInDialog(
  context: CallContext,
  dialog: Dialog,
  auth: AuthSession | undefined,
  method: string,
  content: RequestContent = {},
): Promise<{ response: SipResponse; context: ResponseContext }> {
  const plan = dialog.plan(method, {
    ...content,
    headers: [...(content.headers ?? []), ...context.capabilities("request")],
  });
  return new Promise((resolve) => {
    context.uac.send(
      plan,
      { onFinal: (response, about) => resolve({ response, context: about }) },
      { dialog: dialog.role === "uac" ? "owner" : "other", ...(auth === undefined ? {} : { auth }) },
    );
  });
}

/** Ends a dialog at the peer and forgets it here; the outcome of the BYE does not matter (§15.1.1). */
export function sendBye(
  context: CallContext,
  dialog: Dialog,
  auth: AuthSession | undefined,
  headers: readonly HeaderInit[] = [],
): Promise<void> {
  const sent = sendInDialog(context, dialog, auth, "BYE", { headers });
  const farewell: Promise<void> = sent
    .then(() => {})
    .finally(() => {
      context.dialogs.remove(dialog);
      context.farewells.delete(farewell);
    });
  context.farewells.add(farewell);
  return farewell;
}
