// The relay rules: who may send what to whom. RFC 3261 §16.3 step 6, §22.3, §26.1.1; no open relay.

import { BlockList, isIP } from "node:net";
import type { MaybePromise } from "@offhook/sip";
import type { Challenger, Ha1Lookup, Verification } from "@offhook/sip/auth";
import type { SipUri } from "@offhook/sip/message";
import type { Admission } from "@offhook/sip/proxy";
import type { IncomingRequest } from "@offhook/sip/stack";
import { canonicalHost } from "@offhook/sip/transport";

/** Which hosts are ours, and under which name their users have passwords. */
export interface OurDomains {
  isOurHost(host: string): boolean;
  /** The domain, and realm, that a host of ours stands for. */
  canonical(host: string): string;
}

export interface RelayRules {
  readonly domains: OurDomains;
  /** Undefined: nobody is asked for a password. */
  readonly authentication:
    | { readonly challenger: Pick<Challenger, "challenge" | "verify">; readonly ha1: Ha1Lookup }
    | undefined;
  /** Whether the user who has shown a password may call under this From. Default: only under the very name. */
  owns?(user: string, from: SipUri): boolean;
  /** What callers from other domains may send to our users. */
  readonly inbound: "allow" | "peers" | "deny";
  /** Addresses, networks and domains of certificates, trusted without password: they may send to anyone. */
  readonly peers: readonly string[];
}

/**
 * | from | to | |
 * |---|---|---|
 * | a trusted peer | anyone | goes on |
 * | our user | anyone | 407; the authenticated name must own the From, else 403 |
 * | foreign | our user | goes on with `inbound: allow`, else 403 |
 * | foreign | foreign | 403 |
 *
 * What cannot be challenged (§22.1: ACK, CANCEL) passes from our users to our users only, where it does no harm.
 * @throws {TypeError} if a peer is neither an address nor a network nor a domain
 */
export function makeAdmission(rules: RelayRules): Admission {
  const { domains, authentication, inbound } = rules;
  const peers = rules.peers.length === 0 ? undefined : new PeerList(rules.peers);
  return (incoming, destination): MaybePromise<boolean> => {
    if (peers?.has(incoming.flow.remote.address) === true) return true;
    // RFC 5922 §7.4: whom a mutually authenticated connection belongs to.
    if (peers?.hasIdentity(incoming.flow.peerIdentities) === true) return true;
    const { fromHost } = incoming.request;
    if (fromHost !== undefined && domains.isOurHost(fromHost)) {
      if (authentication === undefined) return true;
      if (incoming.transaction === undefined) return destination === "ours";
      return authenticate(incoming, incoming.request.from.uri as SipUri, rules, authentication);
    }
    if (destination === "foreign") return refuse(incoming, 403, "Relaying Denied");
    return inbound === "allow" || refuse(incoming, 403, "Calls from Other Domains Are Not Accepted");
  };
}

function authenticate(
  incoming: IncomingRequest,
  from: SipUri,
  rules: RelayRules,
  { challenger, ha1 }: NonNullable<RelayRules["authentication"]>,
): MaybePromise<boolean> {
  const realm = rules.domains.canonical(from.host);
  const judge = (verification: Verification): boolean => {
    switch (verification.kind) {
      case "ok":
        return (
          isOwnName(verification.user, from, realm) ||
          rules.owns?.(verification.user, from) === true ||
          refuse(incoming, 403, "From Is Somebody Else's")
        );
      case "malformed":
        return refuse(incoming, 400, verification.reason);
      case "refused":
        return refuse(incoming, 403, verification.reason);
      case "challenge":
        incoming.respond(407, {
          headers: challenger.challenge("proxy", realm, { stale: verification.stale }),
        });
        return false;
    }
  };
  const verification = challenger.verify("proxy", incoming.request, realm, ha1);
  return verification instanceof Promise ? verification.then(judge) : judge(verification);
}

/** Phones authenticate as "alice" or as "alice@example.com". */
function isOwnName(user: string, from: SipUri, realm: string): boolean {
  return from.user !== undefined && (user === from.user || user === `${from.user}@${realm}`);
}

function refuse(incoming: IncomingRequest, statusCode: number, reasonPhrase: string): false {
  incoming.respond(statusCode, { reasonPhrase });
  return false;
}

/** Addresses, networks and domains: "192.0.2.1", "192.0.2.0/24", "2001:db8::/32", "carrier.example". */
export class PeerList {
  readonly #list = new BlockList();
  readonly #domains = new Set<string>();

  /** @throws {TypeError} naming the entry that is neither */
  constructor(peers: readonly string[]) {
    for (const peer of peers) {
      if (/^[a-z0-9_]([a-z0-9.-]*\.)?[a-z0-9-]*[a-z][a-z0-9-]*\.?$/i.test(peer)) {
        this.#domains.add(canonicalHost(peer));
        continue;
      }
      const [address = "", bits, ...rest] = peer.split("/");
      const version = isIP(address);
      const prefix = bits === undefined ? undefined : Number(bits);
      const isPrefix =
        prefix === undefined || (/^\d+$/.test(bits ?? "") && prefix <= (version === 4 ? 32 : 128));
      if (version === 0 || !isPrefix || rest.length > 0) {
        throw new TypeError(
          `"${peer}" is neither an IP address nor a network such as 192.0.2.0/24, nor a domain`,
        );
      }
      const family = version === 4 ? "ipv4" : "ipv6";
      if (prefix === undefined) this.#list.addAddress(address, family);
      else this.#list.addSubnet(address, prefix, family);
    }
  }

  /** Whether one of a certificate's domains is among them (RFC 5922 §7.2: whole names). */
  hasIdentity(identities: readonly string[] | undefined): boolean {
    return identities?.some((identity) => this.#domains.has(identity)) === true;
  }

  /** IPv4 addresses count in their IPv6 form too ("::ffff:192.0.2.1"). */
  has(address: string): boolean {
    const version = isIP(address);
    return version !== 0 && this.#list.check(address, version === 4 ? "ipv4" : "ipv6");
  }
}
