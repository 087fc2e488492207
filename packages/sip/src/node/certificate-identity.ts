// Whom a certificate speaks for: SIP domain identities, RFC 5922 §7.1 and §7.2.

import type { X509Certificate } from "node:crypto";
import { domainToASCII } from "node:url";
import { isSipUri, parseUri } from "../message/index.ts";
import { canonicalHost, isLiteralAddress } from "../transport/index.ts";

/**
 * The SIP domains that a certificate speaks for, in lower case: the hosts of its sip: URIs, else its DNS names,
 * else, if it has no subjectAltName at all, a common name that is a DNS name. Says nothing about its validity.
 */
export function sipIdentities(certificate: X509Certificate): string[] {
  const names = alternativeNames(certificate);
  if (names.length === 0) return certificate.subjectAltName === undefined ? commonNames(certificate) : [];
  const uris = names.flatMap(({ type, value }) => (type === "URI" ? (domainOfUri(value) ?? []) : []));
  // §7.1: DNS names count if and only if there is no sip: URI.
  if (uris.length > 0) return [...new Set(uris)];
  return [...new Set(names.flatMap(({ type, value }) => (type === "DNS" ? [canonicalHost(value)] : [])))];
}

/**
 * Whether a certificate speaks for a host: whole names, no suffixes and no wildcards (§7.2). The RFC knows domains
 * only; an address is looked for among the iPAddress values, as every TLS client does (RFC 9525 §6.5).
 */
export function speaksFor(certificate: X509Certificate, host: string): boolean {
  const wanted = canonicalHost(host);
  if (isLiteralAddress(wanted)) {
    return (
      sipIdentities(certificate).includes(wanted) ||
      alternativeNames(certificate).some(
        ({ type, value }) => type === "IP Address" && canonicalHost(value) === wanted,
      )
    );
  }
  // §7.2: internationalized names are compared in their ASCII form (RFC 5280 §7.2).
  const ascii = domainToASCII(wanted) || wanted;
  return sipIdentities(certificate).some((identity) => identity === ascii);
}

/** All that a person should know it by: its identities and addresses, else its subject. */
export function namesOf(certificate: X509Certificate): string {
  const addresses = alternativeNames(certificate)
    .filter(({ type }) => type === "IP Address")
    .map(({ value }) => canonicalHost(value));
  const names = [...new Set([...sipIdentities(certificate), ...addresses])];
  return names.length > 0 ? names.join(", ") : oneLine(certificate.subject);
}

/** A distinguished name on one line, the common name alone if there is one. */
export function oneLine(distinguishedName: string | undefined): string {
  const lines = (distinguishedName ?? "").split("\n").filter((line) => line !== "");
  const common = lines.find((line) => line.startsWith("CN="));
  return common?.slice(3) ?? (lines.join(", ") || "nobody");
}

/** §7.1: the host of a sip: URI without user part; any other URI is no domain identity. */
function domainOfUri(text: string): string | undefined {
  if (!/^sip:/i.test(text) || text.includes("@")) return undefined;
  try {
    const uri = parseUri(text);
    return isSipUri(uri) && uri.user === undefined ? canonicalHost(uri.host) : undefined;
  } catch {
    return undefined;
  }
}

function commonNames(certificate: X509Certificate): string[] {
  // Node types the legacy form loosely: one value, or a list where the attribute is repeated.
  const { CN } = (certificate.toLegacyObject().subject ?? {}) as { CN?: string | string[] };
  const values = CN === undefined ? [] : typeof CN === "string" ? [CN] : CN;
  return values.filter((value) => dnsName.test(value)).map(canonicalHost);
}

const dnsName =
  /^(?=.{1,253}\.?$)[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?)*\.?$/i;

interface AlternativeName {
  /** As OpenSSL calls it: "DNS", "URI", "IP Address", "email", … */
  readonly type: string;
  readonly value: string;
}

/** Node prints the list as text, "DNS:a, URI:b", with values that hold a comma or quote as JSON strings. */
function alternativeNames(certificate: X509Certificate): AlternativeName[] {
  const text = certificate.subjectAltName ?? "";
  const names: AlternativeName[] = [];
  for (const [, type = "", value = ""] of text.matchAll(/(?:^|, )([^:",]+):("(?:[^"\\]|\\.)*"|[^,]*)/g)) {
    names.push({ type, value: value.startsWith('"') ? unquoted(value) : value });
  }
  return names;
}

function unquoted(json: string): string {
  try {
    return String(JSON.parse(json));
  } catch {
    return "";
  }
}
