// Which final response goes back when no branch succeeded, and what it has to carry. RFC 3261 §16.7 steps 6 and 7,
// RFC 4320 §4.2 (no 408 outside INVITE), RFC 5626 §5.3.1 (430).

import { ParseError } from "../errors.ts";
import { type ForwardEdits, forwardResponse, type HeaderInit, type SipResponse } from "../message/index.ts";
import { preferenceOf } from "../responses/index.ts";
import type {
  IncomingRequest,
  Responder,
  RespondOptions,
  ServerTransaction,
} from "../transaction/transaction-user.ts";

/** Forwards a response as it came, without our Via. False if it cannot be: it counts as 502 then. */
export function passUpstream(
  upstream: Responder,
  response: SipResponse,
  edits?: Pick<ForwardEdits, "add" | "remove">,
): boolean {
  try {
    upstream.respond(forwardResponse(response, edits));
    return true;
  } catch (error) {
    if (error instanceof ParseError) return false;
    throw error;
  }
}

/** RFC 5630 §5.3: what a branch that was not tried, for want of SIPS, has to say. Only such a branch counts as 480. */
export const sipsNotAllowed: RespondOptions = {
  reasonPhrase: "SIPS Not Allowed",
  headers: [["Warning", '380 offhook "SIPS Not Allowed"']],
};

/** The best of the final responses from 300 on that the branches of one request brought. */
export class BestResponse {
  readonly #transaction: ServerTransaction;
  /** 0: none yet. */
  #statusCode = 0;
  /** Undefined for a status that stands for something else: no answer, no way there. */
  #response: SipResponse | undefined;
  /** The contacts left in a 3xx that was followed in part. */
  #contacts: readonly string[] | undefined;
  #challenges: SipResponse[] | undefined;

  constructor(transaction: ServerTransaction) {
    this.#transaction = transaction;
  }

  /** The status of the best so far; 0 if there is none. */
  get statusCode(): number {
    return this.#statusCode;
  }

  /**
   * Takes a response into the running. It must be the caller's to keep, unless `forward` follows at once.
   * @param contacts what its Contact shall say instead
   */
  add(response: SipResponse, contacts?: readonly string[]): void {
    const { statusCode } = response;
    if (statusCode === 401 || statusCode === 407) {
      this.#challenges ??= [];
      this.#challenges.push(response);
    }
    this.#offer(statusCode, response, contacts);
  }

  /** Takes a branch into the running that counts as this status without having brought a response. */
  addStatus(statusCode: number): void {
    this.#offer(statusCode, undefined, undefined);
  }

  #offer(
    statusCode: number,
    response: SipResponse | undefined,
    contacts: readonly string[] | undefined,
  ): void {
    // RFC 4320 §4.2: a 408 outside INVITE helps nobody.
    if (statusCode === 408 && !this.#transaction.isInvite) return;
    if (this.#statusCode !== 0 && preferenceOf(statusCode) >= preferenceOf(this.#statusCode)) return;
    this.#statusCode = statusCode;
    this.#response = response;
    this.#contacts = contacts;
  }

  /** Sends the best one, if there is one. */
  forward(incoming: IncomingRequest): void {
    const statusCode = this.#statusCode;
    const response = this.#response;
    if (statusCode === 0) return;
    // Step 6: a 503 of one server is not about this one.
    if (statusCode === 503) incoming.respond(500);
    // RFC 5626 §5.3.1: a dead flow is this domain's business; the callee cannot be reached.
    else if (statusCode === 430) incoming.respond(480);
    // No answer, but the caller has given up by itself.
    else if (statusCode === 408 && this.#transaction.isCanceled) incoming.respond(487);
    else if (response === undefined)
      incoming.respond(statusCode, statusCode === 480 ? sipsNotAllowed : undefined);
    else if (!this.#pass(response)) incoming.respond(502);
  }

  #pass(response: SipResponse): boolean {
    const add: HeaderInit[] = [];
    if (this.#statusCode === 401 || this.#statusCode === 407) {
      // Step 7: the caller needs every challenge that was made.
      for (const other of this.#challenges ?? []) {
        if (other === response) continue;
        for (const name of ["WWW-Authenticate", "Proxy-Authenticate"]) {
          for (const value of other.headers.rawAll(name)) add.push([name, value]);
        }
      }
    }
    for (const contact of this.#contacts ?? []) add.push(["Contact", contact]);
    if (add.length === 0) return passUpstream(this.#transaction, response);
    return passUpstream(this.#transaction, response, {
      add,
      ...(this.#contacts === undefined ? {} : { remove: ["Contact"] }),
    });
  }
}
