// English: 300 to 380. Redirections.
import type { CodeTexts } from "../code-text.ts";

export const redirection = {
  300: {
    meaning: "The callee can be reached at several addresses; one of them is to be chosen.",
    causes: [
      "A redirect server knows more than one address of this user",
      "The callee's own service offers a choice: desk, mobile, voicemail",
    ],
    checks: [
      "A call that simply fails: the phone does not follow redirections; let the server forward calls instead",
      "The wrong phone is tried first: the q values in Contact",
    ],
  },
  301: {
    meaning: "The address is no longer valid; Contact holds the one to use from now on.",
    causes: [
      "The user moved to another address or domain",
      "A number was changed and the gateway knows the new one",
    ],
    checks: [
      "Replace the old address in address books and speed dials",
      "All calls go astray: an outdated move on the server, or a false answer that a phone has stored",
      "Follow it for a registration only if the answer surely comes from your own domain",
    ],
  },
  302: {
    meaning:
      "The callee is at another address for the time being. Contact names it and may say for how long.",
    causes: [
      "The callee's phone forwards its calls",
      "The server redirects instead of forwarding",
      "The callee sent the ringing call to somebody else",
    ],
    checks: [
      "Can the caller reach the address in Contact, or is it a private one?",
      "Expires and the expires parameter: after that time the old address counts again",
      "A call that goes round: two users redirect to each other",
    ],
  },
  305: {
    meaning: "This one request has to be sent again through the proxy that Contact names.",
    causes: [
      "The phone was called directly, past the proxy it insists on",
      "The phone does not recognise its proxy by the address that the request came from",
    ],
    checks: [
      "DNS and dial plan: why does the caller bypass that proxy?",
      "A second 305: compare the proxy's real address with the one that the phone expects",
    ],
  },
  380: {
    meaning: "The call failed, but the body describes another service that could help.",
    causes: [
      "The network wants an emergency call to be set up in another way",
      "The callee's service points to a reception desk or a web page",
    ],
    checks: [
      "Content-Type and body: which alternatives are offered?",
      "Only an error is shown: the phone does not understand this type of body",
    ],
  },
} satisfies Partial<CodeTexts>;
