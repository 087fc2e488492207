// What is different the second time: the request again, changed as the failure asks. RFC 3261 §8.1.3.5, §21.4.
// Each gives undefined where nothing is left to change: the failure is final then. Bodies are in other-body.ts.

import type { RequestPlan } from "../dialog/index.ts";
import { type HeaderInit, isSipUri, isTelUri, noParams, printNameAddr, printUri } from "../message/index.ts";
import type { FailedAttempt } from "./failed-attempt.ts";
import { fieldsNamed, isHeader, optionTags, secondsOf, withHeader } from "./field-values.ts";
import { contactsOf, mayRedirect } from "./redirection.ts";

type Changed = RequestPlan | undefined;

/** §21.3.4: this one request by way of the proxy, which becomes the topmost Route; the Request-URI stays. */
export function throughProxy(attempt: FailedAttempt): Changed {
  const { plan, response, isInDialog, followsRedirects } = attempt;
  const [contact, ...others] = contactsOf(response);
  if (contact === undefined || others.length > 0 || isInDialog || !followsRedirects) return undefined;
  const { uri } = contact;
  if (!isSipUri(uri) || !mayRedirect(plan.requestUri, uri)) return undefined;
  const proxy = { ...uri, headers: noParams, params: new Map([...uri.params, ["lr", ""]]) };
  const route: HeaderInit = ["Route", printNameAddr({ uri: proxy, params: noParams })];
  const { nextHop: _, flow: __, ...rest } = plan;
  return { ...rest, headers: [route, ...plan.headers] };
}

/** §21.4.7: names every type that we can read, if the request named fewer. */
export function withWiderAccept({ plan, accept }: FailedAttempt): Changed {
  const named = fieldsNamed(plan.headers, "Accept");
  const missing = accept.filter((type) => !optionTags(named).some((range) => range.startsWith(type)));
  if (named.length === 0 || missing.length === 0) return undefined;
  const wider = [...named, ...missing].filter((range) => range.trim() !== "").join(", ");
  return { ...plan, headers: withHeader(plan.headers, "Accept", wider) };
}

/** §21.4.14, §19.1.6: a telephone number as SIP URI. A sips: URI is never turned into sip: (RFC 5630 §5.1.2). */
export function sipUriForNumber({ plan, homeHost }: FailedAttempt): Changed {
  const { requestUri } = plan;
  if (!isTelUri(requestUri) || homeHost === undefined) return undefined;
  const user = printUri(requestUri).slice("tel:".length);
  const params = new Map([["user", "phone"]]);
  return { ...plan, requestUri: { scheme: "sip", user, host: homeHost, params, headers: noParams } };
}

/** §8.1.3.5, §21.4.15: leave out the extensions that the server named. */
export function withoutUnsupported({ plan, response }: FailedAttempt): Changed {
  const refused = new Set(optionTags(response.headers.rawAll("Unsupported")));
  let dropped = false;
  const headers = plan.headers.flatMap((field): HeaderInit[] => {
    const [name, value] = field;
    if (!isHeader(name, "Require") && !isHeader(name, "Proxy-Require")) return [field];
    const tags = optionTags([String(value)]);
    const kept = tags.filter((tag) => !refused.has(tag));
    dropped ||= kept.length < tags.length;
    return kept.length === 0 ? [] : [[name, kept.join(", ")]];
  });
  return dropped ? { ...plan, headers } : undefined;
}

/** §21.4.16: name what the server wants among the supported extensions, if all of it is implemented here. */
export function withRequiredExtensions({ plan, response, supported }: FailedAttempt): Changed {
  const wanted = optionTags(response.headers.rawAll("Require"));
  const named = optionTags(fieldsNamed(plan.headers, "Supported"));
  const missing = wanted.filter((tag) => !named.includes(tag));
  if (missing.length === 0 || !missing.every((tag) => supported.includes(tag))) return undefined;
  return { ...plan, headers: withHeader(plan.headers, "Supported", [...named, ...missing].join(", ")) };
}

/** RFC 4028 §7.3: a session interval of at least what the server named, which Min-SE repeats from now on. */
export function withLongerSession({ plan, response }: FailedAttempt): Changed {
  const minimum = secondsOf(response.headers.raw("Min-SE"));
  if (minimum === undefined || !["INVITE", "UPDATE"].includes(plan.method)) return undefined;
  const headers = withHeader(plan.headers, "Min-SE", minimum).map(
    ([name, value]): HeaderInit =>
      isHeader(name, "Session-Expires") && (secondsOf(String(value)) ?? 0) < minimum
        ? [name, String(value).replace(/\d+/, String(minimum))]
        : [name, value],
  );
  return { ...plan, headers };
}

/** §21.4.17, §10.2.8: at least the Min-Expires that the registrar named, in Expires and in every Contact. */
export function withLongerExpiry({ plan, response }: FailedAttempt): Changed {
  // The one retry without a usable Min-Expires asks for an hour.
  const minimum = secondsOf(response.headers.raw("Min-Expires")) ?? 3600;
  const raised = (contact: string) =>
    contact.replace(/;\s*expires\s*=\s*(\d+)/i, (whole, asked: string) =>
      Number(asked) === 0 || Number(asked) >= minimum ? whole : `;expires=${minimum}`,
    );
  const headers = plan.headers.map(
    ([name, value]): HeaderInit =>
      isHeader(name, "Contact") && typeof value === "string" ? [name, raised(value)] : [name, value],
  );
  const { contact } = plan;
  return {
    ...plan,
    headers: withHeader(headers, "Expires", minimum),
    ...(contact === undefined
      ? {}
      : { contact: (sentBy: string, transport: string) => raised(contact(sentBy, transport)) }),
  };
}
