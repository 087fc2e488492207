// The ACK to a 2xx: made once, sent again for every copy of the 2xx. RFC 3261 §13.2.2.4.

import type { Dialog } from "../dialog/index.ts";
import type { HeaderInit, RequestDraft, SipRequest, Uri } from "../message/index.ts";
import type { Stack } from "../stack.ts";

export class Acknowledgement {
  readonly #stack: Stack;
  readonly #draft: RequestDraft;
  readonly #nextHop: Uri | undefined;
  readonly #branch: string;

  /**
   * @param invite - as it went out: the ACK has its CSeq number and its credentials
   * @param answer - session description, if the 2xx brought the offer
   */
  constructor(stack: Stack, dialog: Dialog, invite: SipRequest, answer: string | undefined) {
    const { draft, nextHop } = dialog.ack(invite.cSeq.sequence, {
      headers: credentialsOf(invite),
      ...(answer === undefined ? {} : { body: answer, contentType: "application/sdp" }),
    });
    this.#stack = stack;
    this.#draft = draft;
    this.#nextHop = nextHop;
    this.#branch = stack.newBranch();
  }

  send(): void {
    this.#stack.sendAck(this.#draft, {
      branch: this.#branch,
      ...(this.#nextHop === undefined ? {} : { uri: this.#nextHop }),
    });
  }
}

function credentialsOf(invite: SipRequest): HeaderInit[] {
  return ["Authorization", "Proxy-Authorization"].flatMap((name) =>
    invite.headers.rawAll(name).map((value): HeaderInit => [name, value]),
  );
}
