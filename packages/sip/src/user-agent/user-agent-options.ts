// What a user agent and its requests can be told: options with their defaults.

import type { Credential } from "../auth/index.ts";
import type { ReactionTable } from "../core/index.ts";
import type { Dialogs, RequestContent } from "../dialog/index.ts";
import type { HeaderInit, Uri } from "../message/index.ts";
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
  /** Calls at a time; more get 486. Default: no limit. */
  readonly maxCalls?: number;
  /** Text of User-Agent and Server. Default: none. */
  readonly product?: string;
  /** Option tags of extensions that the application implements. */
  readonly supported?: readonly string[];
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
