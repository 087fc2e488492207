// A request whose body was refused, again with another one or with none. RFC 3261 §21.4.11, §21.4.13, §21.4.26, §21.5.7.

import type { AlternativeBody, RequestPlan } from "../dialog/index.ts";
import {
  encodeText,
  type HeaderInit,
  parseMediaType,
  parseMultipart,
  type SipResponse,
} from "../message/index.ts";
import type { FailedAttempt } from "./failed-attempt.ts";
import { acceptedOf, fieldsNamed, takesType } from "./field-values.ts";

/** Methods that mean something without a body. INVITE lets the callee make the offer (§13.2.1). */
const bodyless: ReadonlySet<string> = new Set(["INVITE", "OPTIONS", "REGISTER", "SUBSCRIBE", "REFER", "BYE"]);

/** §21.4.11, §21.5.7: the first alternative that is shorter, else no body if the method can do without. */
export function withSmallerBody({ plan, isInDialog }: FailedAttempt): RequestPlan | undefined {
  const { body, method, alternatives = [] } = plan;
  if (body === undefined) return undefined;
  const size = bytesOf(body).length;
  const index = alternatives.findIndex((alternative) => bytesOf(alternative.body).length < size);
  if (index >= 0) return withAlternative(plan, index);
  // A re-INVITE without an offer would ask for something else than it did.
  if (!bodyless.has(method) || (method === "INVITE" && isInDialog)) return undefined;
  const { body: _, alternatives: __, ...others } = plan;
  return { ...others, headers: withoutContentFields(plan.headers) };
}

/**
 * §21.4.13: an alternative of a type, encoding and language that the server takes; of a multipart body the part that
 * it takes. A 415 that names none of them objects to the disposition (RFC 5621 §8.1), and nothing helps.
 */
export function withAcceptedBody({ plan, response }: FailedAttempt): RequestPlan | undefined {
  const { body, headers, alternatives = [] } = plan;
  const [contentType] = fieldsNamed(headers, "Content-Type");
  const fits = fitsFor(response);
  if (body === undefined || contentType === undefined || fits === undefined) return undefined;
  if (fits(contentType, headers)) return undefined;
  const index = alternatives.findIndex((other) => fits(other.contentType, other.headers ?? []));
  if (index >= 0) return withAlternative(plan, index);
  for (const part of partsOf(bytesOf(body), contentType)) {
    if (fits(part.contentType, [])) return withBody(plan, part, alternatives);
  }
  return undefined;
}

/** §21.4.26, §21.6.4: the next offer that the application has. */
export function withOtherOffer({ plan }: FailedAttempt): RequestPlan | undefined {
  const { body, alternatives = [] } = plan;
  const index = alternatives.findIndex(({ contentType }) => /^application\/sdp\b/i.test(contentType));
  return body === undefined || index < 0 ? undefined : withAlternative(plan, index);
}

function fitsFor(response: SipResponse) {
  const types = acceptedOf(response.headers, "Accept");
  const encodings = acceptedOf(response.headers, "Accept-Encoding");
  const languages = acceptedOf(response.headers, "Accept-Language");
  if (types === undefined && encodings === undefined && languages === undefined) return undefined;
  const takes = (accepted: string[] | undefined, headers: readonly HeaderInit[], name: string) => {
    const used = fieldsNamed(headers, name).flatMap((line) => line.toLowerCase().split(/\s*,\s*/));
    return accepted === undefined || used.every((value) => value === "identity" || accepted.includes(value));
  };
  return (contentType: string, headers: readonly HeaderInit[]): boolean =>
    (types === undefined || takesType(types, parseMediaType(contentType).type)) &&
    takes(encodings, headers, "Content-Encoding") &&
    takes(languages, headers, "Content-Language");
}

/** The parts of a multipart body that can stand alone. */
function partsOf(body: Uint8Array, contentType: string): AlternativeBody[] {
  const type = parseMediaType(contentType);
  if (!type.type.startsWith("multipart/")) return [];
  return parseMultipart(body, type).map((part) => ({
    body: part.body,
    contentType: part.headers.raw("Content-Type") ?? "text/plain",
  }));
}

function withAlternative(plan: RequestPlan, index: number): RequestPlan {
  const { alternatives = [] } = plan;
  return withBody(plan, alternatives[index]!, alternatives.slice(index + 1));
}

function withBody(
  plan: RequestPlan,
  { body, contentType, headers = [] }: AlternativeBody,
  alternatives: readonly AlternativeBody[],
): RequestPlan {
  return {
    ...plan,
    body,
    alternatives,
    headers: [...withoutContentFields(plan.headers), ...headers, ["Content-Type", contentType]],
  };
}

function withoutContentFields(headers: readonly HeaderInit[]): HeaderInit[] {
  return headers.filter(([name]) => !/^content-|^[ce]$/i.test(name));
}

function bytesOf(body: Uint8Array | string): Uint8Array {
  return typeof body === "string" ? encodeText(body) : body;
}
