// What a user agent and its requests can be told: options with their defaults.

import type { Credential } from "../auth/index.ts";
import type { AutomaticRetry, ReactionTable } from "../core/index.ts";
import type { Dialogs, RequestContent } from "../dialog/index.ts";
import type { HeaderInit, Limits, Uri } from "../message/index.ts";
import type { Clock, Hash, Random } from "../ports.ts";
import type { Stack, StackObserver } from "../stack.ts";
import type { Listener } from "../transport/index.ts";
import type { CallTimers } from "./call-context.ts";
import type { MediaFactory, SdpSource } from "./media-session.ts";
import type { Transport } from "./runtime.ts";

/** A stack that others use too: the server's, for bridges and test phones beside its proxy. */
export interface SharedStack {
  readonly stack: Stack;
  readonly clock: Clock;
  readonly random: Random;
  readonly hash: Hash;
  /** The table that the stack's `dialog` role looks into; without it, call `userAgent.deliver` there. */
  readonly dialogs?: Dialogs;
  /** Its open sockets, so that media can be offered at the right address. */
  readonly listeners?: readonly Listener[];
}

export type ReliableProvisionals = "supported" | "required" | "off";

export interface UserAgentOptions {
  /** Address-of-record, e.g. "sip:bob@example.com" or "Bob <sip:bob@example.com>". */
  readonly aor: string;
  /** Sockets of its own; or `stack`. */
  readonly transports?: readonly Transport[];
  /** A stack that exists already: the user agent opens and closes nothing. */
  readonly stack?: SharedStack;
  /** For challenges; the first whose realm fits is used. */
  readonly credentials?: Credential | readonly Credential[];
  /** Everything goes there first (§8.1.2), e.g. "sip:proxy.example.com". Default: to where the URI says. */
  readonly outboundProxy?: string;
  /** Default: the domain of the address-of-record. */
  readonly registrar?: string;
  /** A Contact URI instead of the one made from the address of the socket. */
  readonly contact?: string;
  /** Makes the media of calls without given session descriptions. */
  readonly media?: MediaFactory;
  /** Who may be called here (§8.2.2.1). Default: the user of the address-of-record; `true` is anybody. */
  readonly accepts?: true | ((uri: Uri) => boolean);
  /** False for a To that is not wanted here, for a caller who is not: 403 (§8.2.2.1). Default: all are. */
  readonly acceptsTo?: (uri: Uri) => boolean;
  readonly acceptsFrom?: (uri: Uri) => boolean;
  /** True for an address that nobody has anywhere, to certain knowledge: 604 (§21.6.3). Default: never. */
  readonly existsNowhere?: (uri: Uri) => boolean;
  /** Calls at a time; more get 486. Default: no limit. */
  readonly maxCalls?: number;
  /** No calls for now: 480. Can be changed later, `UserAgent.doNotDisturb`. */
  readonly doNotDisturb?: boolean;
  /** Seconds for which a call rings here before it gets 480. Default: until the caller gives up. */
  readonly ringTimeout?: number;
  /** True if no other phone or mailbox of this user answers calls: busy and unacceptable then speak for all, 600 and 606. */
  readonly soleEndpoint?: boolean;
  /** SIPS Request-URIs (RFC 5630 §5.1.2): "refused" or "required", with 480 for the others. Default: both are taken. */
  readonly sips?: "refused" | "required";
  /** The longest body of a request, bytes; longer ones get 413. Default: as long as the message may be. */
  readonly maxBody?: number;
  /** Limits on messages, what exceeds them gets 513, or 414 for the Request-URI. Own stack only. */
  readonly limits?: Partial<Limits>;
  /** Languages of bodies that are understood; others get 415. Default: any. */
  readonly languages?: readonly string[];
  /** "detect": encrypted bodies (S/MIME) get 493 instead of 415. Default "off" (§23.2). */
  readonly smime?: "off" | "detect";
  /** Text of User-Agent and Server. Default: none. */
  readonly product?: string;
  /** Option tags of extensions that the application implements. */
  readonly supported?: readonly string[];
  /** Of them, those that callers have to support (§8.2.4, which advises against it): 421. Default: none. */
  readonly requires?: readonly string[];
  /** Of the methods that could be taken only these are; INVITE, ACK, CANCEL and BYE always. Default: all. */
  readonly allow?: readonly string[];
  /**
   * RFC 3262, reliable provisional responses. "supported" (default): the callee may send them, and so do we if the
   * caller insists or the application wishes; "required": calls without them are refused on either side; "off".
   */
  readonly reliableProvisionals?: ReliableProvisionals;
  /** Take UPDATE and send it (RFC 3311). Default true. */
  readonly update?: boolean;
  /** Rows that replace those of the table of reactions. */
  readonly reactions?: ReactionTable;
  /** Follow 3xx responses. Default true. */
  readonly followRedirects?: boolean;
  /** Told of every request that is sent again by itself. */
  onRetry?(retry: AutomaticRetry): void;
  /** T1 and T2 of RFC 3261 §17.1.1.1, milliseconds. */
  readonly timers?: Partial<CallTimers>;
  /** Sees every message. Own stack only. */
  readonly observer?: StackObserver;
  /**
   * Told of errors that no promise carries: exceptions of handlers, faults of peers. Default: the former become
   * uncaught exceptions, the latter are dropped.
   */
  onError?(error: unknown): void;
}

export interface CallOptions {
  /** Our session description; without it, `media`. */
  readonly sdp?: SdpSource;
  /** Offers to make if the callee does not accept the one in `sdp` (413, 488, 513, 606), best first. Needs `sdp`. */
  readonly fallbackOffers?: readonly string[];
  /** False: the INVITE goes out without an offer, and the callee makes it (§13.2.1). Default true. */
  readonly offer?: boolean;
  readonly headers?: readonly HeaderInit[];
  /** RFC 3262; "required" is given up for a callee that answers 420. Default: as the user agent's. */
  readonly reliableProvisionals?: ReliableProvisionals;
  /** Give up after so many seconds without an answer. */
  readonly timeout?: number;
  /** Gives up the call while it is unanswered. */
  readonly signal?: AbortSignal;
  /** Another From than the address-of-record. */
  readonly from?: string;
}

export interface RequestDetails extends RequestContent {
  readonly signal?: AbortSignal;
  readonly from?: string;
}
