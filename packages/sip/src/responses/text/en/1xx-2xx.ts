// English: 100 to 204. What progress and success stand for, and what to look at when a call goes no further.
import type { CodeTexts } from "../code-text.ts";

export const provisionalAndSuccess = {
  100: {
    meaning: "The next hop has the request and works on it; the sender stops repeating it.",
    causes: [
      "A proxy or phone needs longer than 200 ms for an INVITE",
      "Any other request has waited 3.5 seconds for its final response",
    ],
    checks: [
      "If nothing follows, look at the branch that this hop opened: DNS, firewall, a dead next server",
      "If INVITEs go on repeating although it was sent, the way back is broken: NAT, rport, asymmetric routing",
    ],
  },
  180: {
    meaning: "The callee's phone has the call and is alerting its user.",
    causes: [
      "A phone rings",
      "A telephone gateway heard that the line called is free",
      "Several phones ring: each adds a 180 with a To tag of its own",
    ],
    checks: [
      "No ringing tone at the caller: does the 180 carry a session description (SDP), and does audio arrive?",
      "Rings without end: the no-answer timers of the phone, the caller and the proxies between",
    ],
  },
  181: {
    meaning: "The call is on its way to another destination than the one dialled.",
    causes: [
      "The callee has call forwarding on, always or when busy or not answering",
      "A gateway was told of a diversion in the telephone network",
    ],
    checks: [
      "The forwarding rules of the callee, if nobody expected a diversion",
      "History-Info, for every address that the call was sent to",
      "Repeated 181s: two users forward to each other; 482 or 483 will follow",
    ],
  },
  182: {
    meaning: "The callee is busy for now; the call waits in a queue.",
    causes: [
      "Every agent of the queue is on a call",
      "The lines of a gateway are taken and the call may wait for one",
    ],
    checks: [
      "Calls cut after about three minutes: the queue does not repeat its 182 every minute, and a proxy gives up",
      "A queue that never moves: the registrations and states of its agents",
      "The reason phrase, which often says how many calls are ahead",
    ],
  },
  183: {
    meaning: "News about a call that is still being set up, often with audio before the answer.",
    causes: [
      "The far end plays an announcement or ringing tone itself",
      "A gateway has a line open but does not know yet whether the phone rings",
      "Both sides are reserving resources before the phone may ring",
    ],
    checks: [
      "Silence until the answer: a firewall, NAT or a stripped session description stops the early audio",
      "Two announcements at once: the call was forked; the phone has to play one of them",
      "No PRACK after a response with RSeq: the caller and callee disagree about reliable responses (100rel)",
    ],
  },
  199: {
    meaning: "One branch of a forked call has failed; the others go on.",
    causes: [
      "One of several phones refused the call while another one still rings",
      "The caller announced that it understands 199 in Supported",
    ],
    checks: [
      "Reason, which holds the code that ended this branch",
      "Audio of a phone that has refused still heard: does the caller's phone act on 199 at all?",
    ],
  },
  200: {
    meaning:
      "The request succeeded. What that means depends on its method: answered, registered, subscribed, delivered.",
    causes: [
      "Somebody or something answered the call",
      "A registration, subscription or publication was stored",
      "A BYE or CANCEL found the call that it was for",
    ],
    checks: [
      "The call ends after 32 seconds: the ACK does not arrive; look at Contact, Record-Route and NAT",
      "Registered but never called: is the Contact that was stored an address the server can reach?",
      "No audio after the answer: the addresses and ports in both session descriptions",
    ],
  },
  202: {
    meaning:
      "A message was taken and will be delivered later, perhaps. For subscriptions and transfers the code is no longer used.",
    causes: [
      "The recipient is offline and the server keeps messages",
      "A list service took the message and sends it to each recipient",
      "An old device answers SUBSCRIBE or REFER with it, where 200 is right today",
    ],
    checks: [
      "A message never seen: is the store emptied when the recipient registers?",
      "Do not show it as delivered: nobody has confirmed that",
    ],
  },
  204: {
    meaning: "The subscription was refreshed and its state is the one already known, so no NOTIFY follows.",
    causes: [
      "The subscriber asked with Suppress-If-Match and named the version that is still current",
      "Nothing has changed since the last notification",
    ],
    checks: [
      "The subscription ends after each refresh: something between does not know 204 and waits for a NOTIFY",
      "Old state is shown: does the notifier give a new entity tag with every change?",
    ],
  },
} satisfies Partial<CodeTexts>;
