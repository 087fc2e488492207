// What went wrong with TLS, in words: chains, dates, names, and what the other side complained about.

import type { X509Certificate } from "node:crypto";
import { TransportError } from "../errors.ts";
import { namesOf, oneLine } from "./certificate-identity.ts";

/**
 * Why a peer's certificate is not trusted.
 * @param code OpenSSL's verification code, as in `authorizationError`
 */
export function untrusted(
  code: string,
  certificate: X509Certificate | undefined,
  cause?: unknown,
): TransportError {
  const reason =
    certificate === undefined ? "the peer shows no certificate" : verification(code, certificate);
  return new TransportError(reason, cause === undefined ? undefined : { cause });
}

/** The certificate is good, but not for this name (RFC 5922 §7.3). */
export function nameMismatch(certificate: X509Certificate, wanted: string): TransportError {
  return new TransportError(
    `the certificate is for ${namesOf(certificate)}, wanted ${wanted} (RFC 5922 §7.2: whole names, no wildcards)`,
  );
}

function verification(code: string, certificate: X509Certificate): string {
  const name = `the certificate of ${namesOf(certificate)}`;
  const issuer = oneLine(certificate.issuer);
  switch (code) {
    case "CERT_HAS_EXPIRED":
      return expired(certificate);
    case "CERT_NOT_YET_VALID":
      return notYetValid(certificate);
    case "DEPTH_ZERO_SELF_SIGNED_CERT":
      return `${name} is self-signed, and not among the trusted ones (ca)`;
    case "SELF_SIGNED_CERT_IN_CHAIN":
      return `${name} leads to the self-signed root ${oneLine(lastOf(certificate).subject)}, which is not trusted (ca)`;
    case "UNABLE_TO_GET_ISSUER_CERT":
    case "UNABLE_TO_GET_ISSUER_CERT_LOCALLY":
    case "UNABLE_TO_VERIFY_LEAF_SIGNATURE":
    case "CERT_UNTRUSTED":
      return `${name} has an unknown issuer: ${oneLine(lastOf(certificate).issuer)} is neither trusted (ca) nor sent along`;
    case "CERT_REVOKED":
      return `${name} was revoked by ${issuer}`;
    case "INVALID_PURPOSE":
      return `${name} may not be used for this (its extended key usage names other purposes)`;
    case "INVALID_CA":
      return `${name} was issued by ${issuer}, which may not issue certificates`;
    case "PATH_LENGTH_EXCEEDED":
    case "CERT_CHAIN_TOO_LONG":
      return `${name} comes with a chain that is longer than allowed`;
    case "CERT_SIGNATURE_FAILURE":
      return `${name} does not have the signature of ${issuer}`;
    case "CERT_REJECTED":
      return `${name} was rejected`;
    default:
      return `${name} cannot be trusted (${code})`;
  }
}

/** Which one of the chain it is, and since when. */
function expired(certificate: X509Certificate): string {
  const now = Date.now();
  const culprit = chainOf(certificate).find(({ validTo }) => Date.parse(validTo) < now) ?? certificate;
  return `${whose(culprit, certificate)} expired on ${day(culprit.validTo)}`;
}

function notYetValid(certificate: X509Certificate): string {
  const now = Date.now();
  const culprit = chainOf(certificate).find(({ validFrom }) => Date.parse(validFrom) > now) ?? certificate;
  return `${whose(culprit, certificate)} is not valid before ${day(culprit.validFrom)} (is the clock right?)`;
}

function whose(culprit: X509Certificate, leaf: X509Certificate): string {
  return culprit === leaf
    ? `the certificate of ${namesOf(leaf)}`
    : `the certificate of the issuer ${oneLine(culprit.subject)} (for ${namesOf(leaf)})`;
}

function day(text: string): string {
  const time = Date.parse(text);
  return Number.isNaN(time) ? text : new Date(time).toISOString().replace("T", " ").replace(".000Z", " UTC");
}

function chainOf(certificate: X509Certificate): X509Certificate[] {
  const chain: X509Certificate[] = [];
  let next: X509Certificate | undefined = certificate;
  while (next !== undefined && chain.length < 10) {
    chain.push(next);
    const { issuerCertificate }: { issuerCertificate?: X509Certificate | undefined } = next;
    next = issuerCertificate?.fingerprint256 === next.fingerprint256 ? undefined : issuerCertificate;
  }
  return chain;
}

function lastOf(certificate: X509Certificate): X509Certificate {
  return chainOf(certificate).at(-1) ?? certificate;
}

// --- Handshakes ----------------------------------------------------------------------------------------------

/** Errors of OpenSSL by the end of their code in Node; an ALERT is what the other side said. */
const words: readonly (readonly [code: RegExp, text: string])[] = [
  [/WRONG_VERSION_NUMBER$|PACKET_LENGTH_TOO_LONG$|BAD_RECORD_TYPE$/, "the peer does not speak TLS here"],
  [/HTTPS?_(PROXY_)?REQUEST$/, "the peer speaks plain HTTP or SIP, without TLS"],
  [/UNSUPPORTED_PROTOCOL$|VERSION_TOO_LOW$/, "the peer offers only TLS older than 1.2 (RFC 8996)"],
  [/ALERT_PROTOCOL_VERSION$/, "the peer takes none of our TLS versions, 1.2 and 1.3"],
  [/NO_SHARED_CIPHER$/, "no cipher suite in common"],
  [/ALERT_CERTIFICATE_REQUIRED$/, "the peer wants a certificate from us"],
  [/ALERT_UNKNOWN_CA$/, "the peer does not trust the issuer of our certificate"],
  [/ALERT_CERTIFICATE_EXPIRED$/, "our certificate has expired, says the peer"],
  [/ALERT_CERTIFICATE_REVOKED$/, "our certificate was revoked, says the peer"],
  [/ALERT_(UNSUPPORTED|BAD)_CERTIFICATE$/, "the peer cannot use our certificate"],
  [/ALERT_(CERTIFICATE_UNKNOWN|ACCESS_DENIED)$/, "the peer does not accept our certificate"],
  [/ALERT_UNRECOGNIZED_NAME$/, "the peer has no certificate for the name that we asked for"],
  [/ALERT_NO_APPLICATION_PROTOCOL$/, "the peer wants another application protocol (ALPN)"],
  [
    /ALERT_HANDSHAKE_FAILURE$/,
    "the peer refuses the handshake: no cipher suite in common, or it wants a certificate from us",
  ],
  [/ALERT_INSUFFICIENT_SECURITY$/, "our cipher suites are too weak for the peer"],
  [/DH_KEY_TOO_SMALL$|EE_KEY_TOO_SMALL$|CA_KEY_TOO_SMALL$/, "the peer's key is too short"],
];

/** An error of a TLS socket, during the handshake or after it. */
export function tlsError(error: Error): TransportError {
  const { code = "" } = error as NodeJS.ErrnoException;
  const text = words.find(([pattern]) => pattern.test(code))?.[1];
  if (text !== undefined) return new TransportError(`TLS: ${text}`, { cause: error });
  // Node's own words where a connection ends too early are "socket hang up" and the like.
  if (code === "ECONNRESET") return new TransportError("the peer reset the connection", { cause: error });
  const reason = /:SSL routines:[^:]*:([^:]+):/.exec(error.message)?.[1];
  return new TransportError(reason === undefined ? error.message : `TLS: ${reason}`, { cause: error });
}

/** The connection ended before the handshake did, without a word. */
export function handshakeCut(cause?: unknown): TransportError {
  return new TransportError(
    "TLS: the peer ended the connection during the handshake; it may not trust our certificate, or not speak TLS",
    cause === undefined ? undefined : { cause },
  );
}
