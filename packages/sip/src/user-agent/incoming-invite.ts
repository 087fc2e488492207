// The first INVITE of a call at the callee: provisional responses, the final one, CANCEL, expiry.
// RFC 3261 §9.2, §13.3.

import { secondsOf } from "../core/index.ts";
import { Dialog, type DialogOwner } from "../dialog/index.ts";
import { type HeaderInit, makeResponse, type SipRequest } from "../message/index.ts";
import type { Timer } from "../ports.ts";
import type { IncomingRequest, RespondOptions, ServerTransaction } from "../stack.ts";
import { Acceptance } from "./acceptance.ts";
import { type CallContext, dialogHeaders } from "./call-context.ts";

/** §13.3.1.1: a provisional response every minute keeps proxies from giving up. */
const provisionalInterval = 60_000;

/** What the call hears of the INVITE that it came by. */
export interface IncomingInviteUser extends DialogOwner {
  /** CANCEL (§9.2), or the time of its Expires is over (§13.3.1): it was answered with 487. */
  onGivenUp(cause: "canceled" | "expired", cancel: SipRequest | undefined): void;
  onAck(ack: SipRequest | undefined): void;
  /** No ACK for the 2xx (§13.3.1.4). */
  onUnacknowledged(): void;
}

export class IncomingInvite {
  readonly request: SipRequest;
  readonly dialog: Dialog;
  readonly contact: string;
  readonly #context: CallContext;
  readonly #user: IncomingInviteUser;
  readonly #transaction: ServerTransaction;
  #repeat: Timer | undefined;
  #expiry: Timer | undefined;
  #acceptance: Acceptance | undefined;
  #lastProvisional: (() => void) | undefined;

  /** @throws {ParseError} if Contact or Record-Route cannot be read */
  constructor(context: CallContext, user: IncomingInviteUser, incoming: IncomingRequest) {
    const { request, flow, transaction } = incoming;
    this.#context = context;
    this.#user = user;
    this.#transaction = transaction!;
    this.request = request;
    const isSecure = flow.transport === "TLS" || flow.transport === "WSS";
    this.dialog = Dialog.asUas(request, this.#transaction.toTag, "early", isSecure);
    this.contact = context.contact(context.stack.sentBy(flow), flow.transport, wantsSips(request));
    context.dialogs.add(this.dialog, user);
    this.#transaction.user = {
      onCancel: (cancel) => this.#giveUp("canceled", cancel),
    };
    const expires = secondsOf(request.headers.raw("Expires"));
    if (expires !== undefined && expires < 2 ** 21) {
      this.#expiry = context.clock.schedule(expires * 1000, () => this.#giveUp("expired", undefined));
    }
  }

  /** True until a final response was sent. */
  get isPending(): boolean {
    return !this.#transaction.finalSent;
  }
  /** The 2xx that waits for its ACK. */
  get acceptance(): Acceptance | undefined {
    return this.#acceptance?.isPending ? this.#acceptance : undefined;
  }

  /** A response 101–199, repeated every minute. */
  provisional(statusCode: number, options: RespondOptions = {}): void {
    const send = () => {
      this.#transaction.respond(
        makeResponse(this.request, statusCode, {
          ...options,
          toTag: this.#transaction.toTag,
          headers: [
            ...dialogHeaders(this.request, this.contact),
            ...this.#context.capabilities("response"),
            ...(options.headers ?? []),
          ],
        }),
      );
    };
    this.#lastProvisional = send;
    send();
    this.#schedule();
  }

  /** The 2xx; `onAck` or `onUnacknowledged` follows. */
  accept(options: { headers?: readonly HeaderInit[]; sdp?: string | undefined }): void {
    this.#stopWaiting();
    this.dialog.confirm();
    const response = makeResponse(this.request, 200, {
      toTag: this.#transaction.toTag,
      headers: [
        ...dialogHeaders(this.request, this.contact),
        ...this.#context.capabilities("response"),
        ...(options.headers ?? []),
      ],
      ...(options.sdp === undefined ? {} : { body: options.sdp, contentType: "application/sdp" }),
    });
    const { clock, timers } = this.#context;
    this.#acceptance = new Acceptance({
      ...{ clock, timers, transaction: this.#transaction, response },
      sequence: this.request.cSeq.sequence,
      onAck: (ack) => this.#user.onAck(ack),
      onTimeout: () => this.#user.onUnacknowledged(),
    });
  }

  /** A response 300–699. */
  reject(statusCode: number, options: RespondOptions = {}): void {
    this.#stopWaiting();
    this.#context.dialogs.remove(this.dialog);
    this.#transaction.respond(
      makeResponse(this.request, statusCode, {
        ...options,
        toTag: this.#transaction.toTag,
        headers: [...this.#context.capabilities("response"), ...(options.headers ?? [])],
      }),
    );
  }

  close(): void {
    this.#stopWaiting();
    this.#acceptance?.stop();
  }

  #giveUp(cause: "canceled" | "expired", cancel: SipRequest | undefined): void {
    if (!this.isPending) return;
    this.reject(487);
    this.#user.onGivenUp(cause, cancel);
  }

  #schedule(): void {
    this.#repeat?.cancel();
    this.#repeat = this.#context.clock.schedule(provisionalInterval, () => {
      if (!this.isPending) return;
      this.#lastProvisional?.();
      this.#schedule();
    });
  }

  #stopWaiting(): void {
    this.#repeat?.cancel();
    this.#expiry?.cancel();
  }
}

/** §12.1.1: our Contact has to be a sips: URI if the Request-URI is one, or the next hop of the dialog. */
function wantsSips(request: SipRequest): boolean {
  if (request.requestUri.scheme === "sips") return true;
  const next = request.headers.get("Record-Route") ?? request.headers.get("Contact");
  return next !== undefined && typeof next !== "string" && next.uri.scheme === "sips";
}
