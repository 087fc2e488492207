// What a server makes of a request's body: its size, its type, what is in it. RFC 3261 §8.2.3, §23.2; RFC 5621.

import { ParseError } from "../errors.ts";
import {
  type HeaderInit,
  type MediaType,
  parseMediaType,
  parseMultipart,
  type SipHeaders,
  type SipMessage,
  type SipRequest,
} from "../message/index.ts";
import { takesType } from "./field-values.ts";

export interface BodyRules {
  /** Media types of bodies. Default `["application/sdp"]`; multipart bodies of them are always taken (RFC 5621 §4.2). */
  readonly accept?: readonly string[];
  /** Languages of bodies, in lower case. Default: any. */
  readonly languages?: readonly string[];
  /**
   * "detect": an encrypted body (S/MIME) gets 493, since we have no key. Default "off": it is of a type that we do not
   * know, 415 (§23.2).
   */
  readonly smime?: "off" | "detect";
}

interface Part {
  readonly headers: SipHeaders;
  readonly body: Uint8Array;
}

/** What is wrong, as status and header fields. */
type Objection = readonly [statusCode: number, headers: readonly HeaderInit[]];

const deepest = 4;

/**
 * Why the body cannot be taken: a part that has to be understood (§20.11) and is not, by encoding, language, type,
 * disposition, or for want of a key.
 * @throws {ParseError} if its type cannot be read, or it is no multipart body though it says so
 */
export function checkBody(request: SipRequest, rules: BodyRules): Objection | undefined {
  return request.body.length === 0 ? undefined : objectionTo(request, rules, 0);
}

function objectionTo(part: Part, rules: BodyRules, depth: number): Objection | undefined {
  const { headers } = part;
  if (isOptional(headers)) return undefined;
  const { accept = ["application/sdp"], languages } = rules;
  const encoding = headers.raw("Content-Encoding")?.trim().toLowerCase();
  if (encoding !== undefined && encoding !== "identity") return [415, [["Accept-Encoding", "identity"]]];
  const language = headers.raw("Content-Language");
  if (language !== undefined && languages !== undefined && !sharesLanguage(language, languages)) {
    return [415, [["Accept-Language", languages.join(", ")]]];
  }
  const type = headers.get("Content-Type");
  // §7.4.1: a body has a type. Laxer than the RFC: without one it is for whoever takes the request.
  if (type === undefined || accept.includes("*/*")) return undefined;
  if (type.type.startsWith("multipart/")) {
    if (depth === deepest) throw new ParseError("body", "multipart bodies within multipart bodies");
    return objectionToParts(parseMultipart(part.body, type), type, rules, depth + 1);
  }
  if (rules.smime === "detect" && isEncrypted(type, part.body)) return [493, []];
  if (!takesType(accept, type.type)) return [415, [["Accept", acceptOf(accept)]]];
  // RFC 5621 §8.1: nothing can tell the peer which disposition would do.
  return type.type === "application/sdp" && dispositionOf(headers) !== "session" ? [415, []] : undefined;
}

function objectionToParts(
  parts: readonly Part[],
  { type }: MediaType,
  rules: BodyRules,
  depth: number,
): Objection | undefined {
  const objections = parts.map((part) => objectionTo(part, rules, depth));
  // RFC 2046 §5.1.4: one version is enough. RFC 1847: what is signed counts, whoever signed it (§23.3).
  if (type === "multipart/alternative" && objections.includes(undefined)) return undefined;
  return type === "multipart/signed" ? objections[0] : objections.find((one) => one !== undefined);
}

/** The value of an Accept header field: what `accept` names and the containers that it may come in. */
export function acceptOf(accept: readonly string[] = ["application/sdp"]): string {
  return [...accept, "multipart/mixed", "multipart/alternative"].join(", ");
}

/** The session description in a message's body, on its own or in a multipart body (RFC 5621 §4.2). */
export function sessionDescriptionOf(message: SipMessage): string | undefined {
  if (message.body.length === 0) return undefined;
  const found = findDescription(message, 0);
  return found === undefined ? undefined : new TextDecoder().decode(found);
}

function findDescription({ headers, body }: Part, depth: number): Uint8Array | undefined {
  const type = typeOf(headers);
  if (type?.type === "application/sdp") return dispositionOf(headers) === "session" ? body : undefined;
  if (type?.type.startsWith("multipart/") !== true || depth === deepest) return undefined;
  try {
    const found = parseMultipart(body, type).map((part) => findDescription(part, depth + 1));
    // RFC 2046 §5.1.4: the last version is the best one.
    if (type.type === "multipart/alternative") found.reverse();
    return found.find((one) => one !== undefined);
  } catch (error) {
    if (error instanceof ParseError) return undefined;
    throw error;
  }
}

function typeOf(headers: SipHeaders): MediaType | undefined {
  const text = headers.raw("Content-Type");
  if (text === undefined) return undefined;
  try {
    return parseMediaType(text);
  } catch (error) {
    if (error instanceof ParseError) return undefined;
    throw error;
  }
}

/** §20.11: a part marked as optional is ignored. */
function isOptional(headers: SipHeaders): boolean {
  return /;\s*handling\s*=\s*"?optional"?/i.test(headers.raw("Content-Disposition") ?? "");
}

/** §20.11: that of a session description is "session" if nothing is said. */
function dispositionOf(headers: SipHeaders): string {
  return (headers.raw("Content-Disposition") ?? "session").split(";", 1)[0]!.trim().toLowerCase();
}

function sharesLanguage(text: string, languages: readonly string[]): boolean {
  return text
    .toLowerCase()
    .split(",")
    .some((tag) => languages.some((own) => tag.trim() === own || tag.trim().startsWith(`${own}-`)));
}

const encryptedTypes = ["enveloped-data", "authenveloped-data", "auth-enveloped-data"];

/** The object identifiers of EnvelopedData (RFC 5652 §6.1) and AuthEnvelopedData (RFC 5083 §2.1), in DER. */
const encryptedIdentifiers = [
  [0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x07, 0x03],
  [0x06, 0x0b, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x09, 0x10, 0x01, 0x17],
];

/** RFC 8551 §3.2, RFC 8591 §7.3: encrypted, not only signed. It says so itself, else its ContentInfo does. */
function isEncrypted({ type, params }: MediaType, body: Uint8Array): boolean {
  if (type !== "application/pkcs7-mime" && type !== "application/x-pkcs7-mime") return false;
  const smimeType = params.get("smime-type")?.toLowerCase();
  if (smimeType !== undefined) return encryptedTypes.includes(smimeType);
  // SEQUENCE and its length, of 1 to 5 octets, come first.
  if (body[0] !== 0x30) return false;
  const length = body[1] ?? 0;
  const start = length < 0x80 ? 2 : 2 + (length & 0x7f);
  return encryptedIdentifiers.some((identifier) =>
    identifier.every((octet, index) => body[start + index] === octet),
  );
}
