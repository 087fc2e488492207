// Flows and listeners: where bytes come from and go to. RFC 3261 §18, RFC 5626 §3.

/** Transports by their name in a Via (RFC 3261 §20.42, RFC 7118 §5.2). */
export type TransportName = "UDP" | "TCP" | "TLS" | "WS" | "WSS";

/** An address and port, as bound or as seen from outside. IPv6 addresses carry no brackets here. */
export interface Endpoint {
  readonly address: string;
  readonly port: number;
}

/** An address of this host with the length of its network's prefix in bits. */
export interface LocalAddress {
  readonly address: string;
  readonly prefixLength: number;
}

/** A socket that waits for peers. Plain data; the driver holds the socket itself under `id`. */
export interface Listener extends Endpoint {
  /** Small number, unique in the process; part of every flow id. */
  readonly id: number;
  readonly transport: TransportName;
  /** What Via, Contact and Record-Route say instead of the bound address (containers, cloud NAT). */
  readonly advertise?: { readonly host: string; readonly port?: number };
  /** For a wildcard address (0.0.0.0, ::): the addresses of that family that peers may see instead. */
  readonly localAddresses?: readonly LocalAddress[];
  /**
   * TLS: peers may send us requests over the connections that we opened (RFC 5923), since we have shown them a
   * certificate there.
   */
  readonly connectionReuse?: boolean;
}

/**
 * A path to one remote endpoint: a connection, or for UDP a pair of (listener, remote endpoint).
 * `id` is serialisable (node, worker, listener, connection generation), so that a flow found in a store
 * or token can be looked up, and one that has ended is recognised as such.
 */
export interface Flow {
  readonly id: string;
  readonly transport: TransportName;
  /** True for everything but UDP: no retransmission by us (RFC 3261 §17). */
  readonly isReliable: boolean;
  /** The listener whose address this flow shows to its peer in Via; also for connections that we opened. */
  readonly listener: Listener;
  readonly remote: Endpoint;
  /** "connecting" until the driver reports it open; "closed" for ever after it reports the end. */
  readonly state: "connecting" | "open" | "closed";
  /**
   * TLS: the SIP domains that the peer's certificate speaks for (RFC 5922 §7.1). Empty if it showed none that is
   * trusted; undefined before the flow has opened, and for other transports.
   */
  readonly peerIdentities?: readonly string[] | undefined;
  /** For the driver alone: its socket, or whatever it keeps for this flow. */
  handle?: unknown;
  /** For the transaction layer alone: who is to hear of its failure. */
  watchers?: unknown;
}

/** One place to try: the outcome of RFC 3263 for a URI, or a URI with a literal address. */
export interface Target extends Endpoint {
  readonly transport: TransportName;
  /** The name that was asked for: TLS checks the certificate against it (RFC 5922). */
  readonly hostName?: string;
}
