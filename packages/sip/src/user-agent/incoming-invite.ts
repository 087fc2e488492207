// The first INVITE of a call at the callee: provisional responses, the final one, CANCEL, expiry.
// RFC 3261 §9.2, §13.3.

import { secondsOf } from "../core/index.ts";
import { Dialog, type DialogOwner } from "../dialog/index.ts";
import { type HeaderInit, makeResponse, type SipRequest, type SipResponse } from "../message/index.ts";
import type { Timer } from "../ports.ts";
import type { IncomingRequest, RespondOptions, ServerTransaction } from "../stack.ts";
import { Acceptance } from "./acceptance.ts";
import { type CallContext, dialogHeaders } from "./call-context.ts";
import {
  type Description,
  ReliableResponses,
  reliabilityWanted,
  reliableTag,
} from "./reliable-provisional.ts";

/** §13.3.1.1: a provisional response every minute keeps proxies from giving up. */
const provisionalInterval = 60_000;

/** RFC 3262 §3: reliable ones less often. */
const reliableInterval = 150_000;

/** What the call hears of the INVITE that it came by. */
export interface IncomingInviteUser extends DialogOwner {
  /** CANCEL (§9.2), or the time of its Expires is over (§13.3.1): it was answered with 487. */
  onGivenUp(cause: "canceled" | "expired", cancel: SipRequest | undefined): void;
  onAck(ack: SipRequest | undefined): void;
  /** No PRACK for a reliable provisional response (RFC 3262 §3): the INVITE was answered with 500. */
  onNoPrack(): void;
  /** No ACK for the 2xx (§13.3.1.4). */
  onUnacknowledged(): void;
}

export class IncomingInvite {
  readonly request: SipRequest;
  readonly dialog: Dialog;
  readonly contact: string;
  /** What the caller says of reliable provisional responses, or "off" if we take no part in them. */
  readonly reliability: "required" | "supported" | "off";
  readonly reliable: ReliableResponses;
  readonly #context: CallContext;
  readonly #user: IncomingInviteUser;
  readonly #transaction: ServerTransaction;
  #repeat: Timer | undefined;
  #expiry: Timer | undefined;
  #acceptance: Acceptance | undefined;

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
    const isTaken = context.rules.supported?.includes(reliableTag) === true;
    this.reliability = isTaken ? reliabilityWanted(request) : "off";
    this.reliable = new ReliableResponses({
      ...{ clock: context.clock, random: context.random, timers: context.timers },
      sequence: request.cSeq.sequence,
      respond: (response) => void this.#transaction.respond(response),
      onTimeout: () => {
        if (!this.isPending) return;
        this.reject(500);
        user.onNoPrack();
      },
    });
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
    const send = () => void this.#transaction.respond(this.#make(statusCode, options));
    send();
    this.#repeatLater(send, provisionalInterval);
  }

  /** A response 101–199 that arrives for certain (RFC 3262 §3). Fulfilled when it has, or need not any more. */
  async reliableProvisional(
    statusCode: number,
    options: RespondOptions,
    description: Description,
  ): Promise<void> {
    const { body, contentType: _, ...bare } = options;
    // RFC 6337 §3.1: a description goes out once.
    this.#repeatLater(() => {
      void this.reliable.send((headers) => this.#make(statusCode, bare, headers), undefined);
    }, reliableInterval);
    const first = body === undefined ? bare : options;
    await this.reliable.send((headers) => this.#make(statusCode, first, headers), description);
  }

  /** The 2xx; `onAck` or `onUnacknowledged` follows. */
  accept(options: { headers?: readonly HeaderInit[]; sdp?: string | undefined }): void {
    this.#stopWaiting();
    this.dialog.confirm();
    const { headers = [], sdp } = options;
    const content = sdp === undefined ? {} : { body: sdp, contentType: "application/sdp" };
    const response = this.#make(200, { headers, ...content });
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
    if (!this.reliable.isWaiting) return;
    // RFC 3262 §3: a PRACK may still be on its way.
    const { clock, timers, dialogs } = this.#context;
    dialogs.add(this.dialog, this.#user);
    clock.schedule(64 * timers.T1, () => dialogs.remove(this.dialog));
  }

  #giveUp(cause: "canceled" | "expired", cancel: SipRequest | undefined): void {
    if (!this.isPending) return;
    this.reject(487);
    this.#user.onGivenUp(cause, cancel);
  }

  /** A response that makes or confirms the dialog. */
  #make(statusCode: number, options: RespondOptions, added: readonly HeaderInit[] = []): SipResponse {
    return makeResponse(this.request, statusCode, {
      ...options,
      toTag: this.#transaction.toTag,
      headers: [
        ...dialogHeaders(this.request, this.contact),
        ...this.#context.capabilities("response"),
        ...added,
        ...(options.headers ?? []),
      ],
    });
  }

  #repeatLater(send: () => void, interval: number): void {
    this.#repeat?.cancel();
    this.#repeat = this.#context.clock.schedule(interval, () => {
      if (!this.isPending) return;
      send();
      this.#repeatLater(send, interval);
    });
  }

  #stopWaiting(): void {
    this.#repeat?.cancel();
    this.#expiry?.cancel();
    this.reliable.stop();
  }
}

/** §12.1.1: our Contact has to be a sips: URI if the Request-URI is one, or the next hop of the dialog. */
function wantsSips(request: SipRequest): boolean {
  if (request.requestUri.scheme === "sips") return true;
  const next = request.headers.get("Record-Route") ?? request.headers.get("Contact");
  return next !== undefined && typeof next !== "string" && next.uri.scheme === "sips";
}
