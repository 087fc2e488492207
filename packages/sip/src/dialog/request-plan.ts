// What a request will be before it has a CSeq, credentials and a Via: RFC 3261 §8.1.1 and §12.2.1.1.
// A retry (§8.1.3.5) is the same plan, changed a little and sent again.

import type { HeaderInit, Uri } from "../message/index.ts";
import type { Flow } from "../transport/flow.ts";

/** A request that can be sent, and sent again with changes. Immutable; `nextSequence` is the only moving part. */
export interface RequestPlan {
  readonly method: string;
  readonly requestUri: Uri;
  /** Everything but Via, CSeq, Content-Length and credentials; From, To, Call-ID and Max-Forwards included. */
  readonly headers: readonly HeaderInit[];
  /**
   * The value of a Contact that depends on where the request leaves: called with the sent-by of its Via
   * (host and port) and the transport in upper case, once per attempt and target.
   */
  contact?(sentBy: string, transport: string): string;
  readonly body?: Uint8Array | string;
  /** Bodies to try instead if this one is refused as too large, of the wrong type or unacceptable. Best first. */
  readonly alternatives?: readonly AlternativeBody[];
  /** Where to send it if neither the topmost Route nor the Request-URI says so (strict routers, outbound proxies). */
  readonly nextHop?: Uri;
  /** Send it on this flow only. */
  readonly flow?: Flow;
  /** The CSeq number of the next attempt: each attempt is one higher (§8.1.3.5, §12.2.1.1). */
  nextSequence(): number;
}

/** A body that says the same in another way: shorter, in another type, with other codecs. */
export interface AlternativeBody {
  readonly body: Uint8Array | string;
  /** Its media type. */
  readonly contentType: string;
  /** Content-Encoding, Content-Language, Content-Disposition. */
  readonly headers?: readonly HeaderInit[];
}

/** What may be added to a request. */
export interface RequestContent {
  readonly headers?: readonly HeaderInit[];
  readonly body?: Uint8Array | string;
  /** Media type of the body; needed if there is one. */
  readonly contentType?: string;
  /** Bodies to try instead if the server refuses this one (413, 415, 488, 513, 606). Best first. */
  readonly alternatives?: readonly AlternativeBody[];
}
