// The words around a response code's facts in the terminal, in English. Other languages satisfy the same type.
import type { Effect, ResponseClass, Retry, Role, Standing } from "@offhook/sip/responses";

export const en = {
  labels: {
    causes: "Likely causes",
    checks: "What to check",
    sources: "Defined in",
    roles: "Sent by",
    methods: "Answers",
    headers: "Carries",
    retry: "Caller may",
    effect: "In a call",
    subscription: "Subscription",
    toQ850: "To Q.850",
    fromQ850: "From Q.850",
  },
  /** Between the items of a list. */
  comma: ", ",
  /** Between two halves of a sentence. */
  clause: ", ",
  roles: {
    uas: "user agent (callee)",
    proxy: "proxy",
    registrar: "registrar",
    redirect: "redirect server",
    notifier: "notifier",
    subscriber: "subscriber",
    compositor: "publication server",
    gateway: "telephone gateway",
    relay: "relay (list or message server)",
    verifier: "identity verifier",
    intermediary: "service on the callee's side",
  } satisfies Record<Role, string>,
  classes: {
    provisional: "provisional",
    success: "success",
    redirection: "redirection",
    "request failure": "request failure",
    "server failure": "server failure",
    "global failure": "global failure",
  } satisfies Record<ResponseClass, string>,
  standings: {
    current: "",
    deprecated: "deprecated",
    obsolete: "obsolete, RFC 2543 only",
    reserved: "reserved",
  } satisfies Record<Standing, string>,
  retries: {
    none: "nothing to repeat",
    never: "not send the same request again",
    changed: "change the request and send it once more",
    credentials: "send it again with credentials",
    "other target": "send it to another target",
    delayed: "try again later",
    "by person": "let a person decide before trying again",
  } satisfies Record<Retry, string>,
  effects: {
    transaction: "only this request fails, the call goes on",
    usage: "the call or subscription that it belongs to ends",
    dialog: "the whole dialog ends",
  } satisfies Record<Effect, string>,
  header: {
    must: (header: string) => `${header} (must)`,
    mustWhen: (header: string, when: string) => `${header} (must when ${when})`,
    should: (header: string) => `${header} (should)`,
    may: (header: string) => `${header} (may)`,
  },
  /** A condition of the facts, which are in English. */
  condition: (when: string): string => when,
  anyMethodBut: (methods: string) => `any method but ${methods}`,
  dialog: { inside: "inside a dialog", outside: "outside a dialog" },
  see: (headers: string) => ` (see ${headers})`,
  subscriptionEnds: "ends if a refresh or a NOTIFY gets this answer",
  cause: {
    user: "location user",
    repairFirst: "after trying to repair the request",
    dependsOnWarning: "or as Warning says",
    notes: (cause: number, notes: string) => `${cause} (${notes})`,
  },
};

export type CodeWords = typeof en;
