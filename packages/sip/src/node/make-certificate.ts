// Makes certificates: self-signed ones for a start without an authority, and small authorities for tests.
// RFC 5280 §4, RFC 5922 §6. EC P-256 with SHA-256.

import {
  createHash,
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  randomBytes,
  sign,
} from "node:crypto";
import { isIP } from "node:net";
import { ArgumentError } from "../errors.ts";
import { isIpv6 } from "../transport/index.ts";
import type { CertificatePair } from "./certificate-files.ts";

export interface CertificateRequest {
  /** Whom it shall speak for: addresses, "sip:…" URIs, and DNS names. None: only the common name is left. */
  readonly names: readonly string[];
  /** Default: the first name. */
  readonly commonName?: string;
  /** Default: an hour ago, since clocks differ. */
  readonly notBefore?: Date;
  /** Default: 397 days from now, the most that all clients accept. */
  readonly notAfter?: Date;
  /** What it may be shown as. Default: both. */
  readonly usage?: "server" | "client" | "both";
  /** True for an authority, which may issue others. */
  readonly isAuthority?: boolean;
  /** Who issues it, as PEM text. Default: it vouches for itself. */
  readonly issuer?: CertificatePair;
}

const hour = 3_600_000;

/**
 * A new certificate and its new key, as PEM text.
 * @throws {ArgumentError} if there is neither a name nor a common name
 */
export function makeCertificate(request: CertificateRequest): CertificatePair {
  const { names, notBefore, notAfter, usage = "both", isAuthority = false, issuer } = request;
  const commonName = request.commonName ?? names[0];
  if (commonName === undefined) throw new ArgumentError("a certificate needs a name");
  const { publicKey, privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const ownKey = publicKey.export({ type: "spki", format: "der" });
  const subject = distinguishedName(commonName);
  const issuerCertificate = issuer === undefined ? undefined : pemToDer(issuer.certificate);
  const issuerKey =
    issuer === undefined
      ? ownKey
      : createPublicKey(issuer.certificate).export({ type: "spki", format: "der" });
  const toBeSigned = sequence(
    tagged(0xa0, integer(Uint8Array.of(2))),
    integer(Uint8Array.of(1, ...randomBytes(15))),
    ecdsaWithSha256,
    issuerCertificate === undefined ? subject : subjectOf(issuerCertificate),
    sequence(
      time(notBefore ?? new Date(Date.now() - hour)),
      time(notAfter ?? new Date(Date.now() + 397 * 24 * hour)),
    ),
    subject,
    ownKey,
    tagged(
      0xa3,
      sequence(
        // §4.2.1.9, §4.2.1.3, §4.2.1.12, §4.2.1.6, §4.2.1.2, §4.2.1.1
        extension("2.5.29.19", true, sequence(...(isAuthority ? [tagged(0x01, Uint8Array.of(0xff))] : []))),
        extension("2.5.29.15", true, isAuthority ? bits(0x06, 1) : bits(0x80, 7)),
        ...(isAuthority ? [] : [extension("2.5.29.37", false, sequence(...purposes[usage].map(objectId)))]),
        ...(names.length === 0 ? [] : [extension("2.5.29.17", false, sequence(...names.map(generalName)))]),
        extension("2.5.29.14", false, tagged(0x04, keyId(ownKey))),
        extension("2.5.29.35", false, sequence(tagged(0x80, keyId(issuerKey)))),
      ),
    ),
  );
  const signature = sign(
    "sha256",
    toBeSigned,
    issuer === undefined ? privateKey : createPrivateKey(issuer.key),
  );
  const certificate = sequence(toBeSigned, ecdsaWithSha256, tagged(0x03, Uint8Array.of(0), signature));
  return {
    certificate: derToPem(certificate),
    key: privateKey.export({ type: "pkcs8", format: "pem" }).toString(),
  };
}

// RFC 5280 §4.2.1.12: id-kp-serverAuth, id-kp-clientAuth.
const purposes = {
  server: ["1.3.6.1.5.5.7.3.1"],
  client: ["1.3.6.1.5.5.7.3.2"],
  both: ["1.3.6.1.5.5.7.3.1", "1.3.6.1.5.5.7.3.2"],
} as const;

function extension(id: string, isCritical: boolean, value: Uint8Array): Uint8Array {
  const critical = isCritical ? [tagged(0x01, Uint8Array.of(0xff))] : [];
  return sequence(objectId(id), ...critical, tagged(0x04, value));
}

/** §4.2.1.6: uniformResourceIdentifier [6], iPAddress [7], dNSName [2]. */
function generalName(name: string): Uint8Array {
  if (isIP(name) !== 0) return tagged(0x87, addressBytes(name));
  return tagged(/^[a-z][a-z0-9+.-]*:/i.test(name) ? 0x86 : 0x82, ascii(name));
}

function addressBytes(address: string): Uint8Array {
  if (!isIpv6(address)) return Uint8Array.from(address.split("."), Number);
  const [head = "", tail] = address.split("::");
  const groups = (text: string) =>
    text === "" ? [] : text.split(":").map((group) => Number.parseInt(group, 16));
  const before = groups(head);
  const after = groups(tail ?? "");
  const all = [...before, ...new Array<number>(8 - before.length - after.length).fill(0), ...after];
  return Uint8Array.from(all.flatMap((group) => [group >> 8, group & 255]));
}

function distinguishedName(commonName: string): Uint8Array {
  const value = tagged(0x0c, new TextEncoder().encode(commonName));
  return sequence(tagged(0x31, sequence(objectId("2.5.4.3"), value)));
}

/** §4.2.1.2, method 1: SHA-1 of the key's bits, which end a SubjectPublicKeyInfo of P-256. */
function keyId(publicKey: Uint8Array): Uint8Array {
  return createHash("sha1").update(publicKey.subarray(-65)).digest();
}

// --- DER -----------------------------------------------------------------------------------------------------

function tagged(tag: number, ...parts: Uint8Array[]): Uint8Array {
  const length = parts.reduce((sum, part) => sum + part.length, 0);
  const size = length < 128 ? [length] : length < 256 ? [0x81, length] : [0x82, length >> 8, length & 255];
  return Buffer.concat([Uint8Array.of(tag, ...size), ...parts]);
}

function sequence(...parts: Uint8Array[]): Uint8Array {
  return tagged(0x30, ...parts);
}

function integer(bytes: Uint8Array): Uint8Array {
  return tagged(0x02, bytes);
}

function bits(value: number, unused: number): Uint8Array {
  return tagged(0x03, Uint8Array.of(unused, value));
}

function objectId(text: string): Uint8Array {
  const [first = 0, second = 0, ...rest] = text.split(".").map(Number);
  const bytes = [first * 40 + second];
  for (const arc of rest) {
    const septets = [arc & 127];
    for (let left = arc >>> 7; left > 0; left >>>= 7) septets.unshift((left & 127) | 128);
    bytes.push(...septets);
  }
  return tagged(0x06, Uint8Array.from(bytes));
}

/** §4.1.2.5: UTCTime up to 2049, GeneralizedTime after that. */
function time(date: Date): Uint8Array {
  const digits = date.toISOString().replace(/[-:T]|\.\d+/g, "");
  return date.getUTCFullYear() < 2050 ? tagged(0x17, ascii(digits.slice(2))) : tagged(0x18, ascii(digits));
}

function ascii(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

const ecdsaWithSha256 = sequence(objectId("1.2.840.10045.4.3.2"));

/** The subject's bytes of a certificate: the sixth field, if the version is the first. */
function subjectOf(certificate: Uint8Array): Uint8Array {
  let [at] = contentOf(certificate, contentOf(certificate, 0)[0]);
  for (let field = 0; field < 5; field++) at = contentOf(certificate, at)[1];
  return certificate.subarray(at, contentOf(certificate, at)[1]);
}

/** Where the content of the element at `start` begins and ends. */
function contentOf(der: Uint8Array, start: number): [begin: number, end: number] {
  const first = der[start + 1] ?? 0;
  if (first < 128) return [start + 2, start + 2 + first];
  let length = 0;
  for (let i = 0; i < (first & 127); i++) length = length * 256 + (der[start + 2 + i] ?? 0);
  const begin = start + 2 + (first & 127);
  return [begin, begin + length];
}

function derToPem(der: Uint8Array): string {
  const lines =
    Buffer.from(der)
      .toString("base64")
      .match(/.{1,64}/g) ?? [];
  return `-----BEGIN CERTIFICATE-----\n${lines.join("\n")}\n-----END CERTIFICATE-----\n`;
}

/** The first certificate of a PEM text. */
function pemToDer(pem: string): Uint8Array {
  const [, body = ""] = /-----BEGIN CERTIFICATE-----([^-]*)/.exec(pem) ?? [];
  return Buffer.from(body, "base64");
}
