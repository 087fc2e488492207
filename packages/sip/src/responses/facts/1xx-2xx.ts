// Provisional and success responses, 100–204. RFC 3261 §21.1, §21.2; RFC 6228, 3428, 6665, 5839.
import type { ResponseFacts } from "../facts.ts";

// RFC 3262 §3: what a provisional response carries when it is sent reliably.
const whenReliable = [
  { header: "Require", when: "sent reliably (100rel)" },
  { header: "RSeq", when: "sent reliably (100rel)" },
] as const;

// §12.1.1: a response that makes a dialog names where requests in it go.
const dialogForming = [
  { header: "Contact", when: "it makes or updates a dialog" },
  { header: "Record-Route", when: "the request had it and a dialog is made" },
] as const;

export const provisionalAndSuccess = [
  {
    code: 100,
    phrase: "Trying",
    class: "provisional",
    sources: [
      { rfc: 3261, section: "21.1.1" },
      { rfc: 4320, section: "4.1" },
    ],
    standing: "current",
    isRegistered: true,
    roles: ["uas", "proxy", "registrar", "redirect", "gateway"],
    methods: "any",
    headers: { mustWhen: [{ header: "Timestamp", when: "the request had it" }] },
    retry: "none",
  },
  {
    code: 180,
    phrase: "Ringing",
    class: "provisional",
    sources: [
      { rfc: 3261, section: "21.1.2" },
      { rfc: 3262, section: "3" },
      { rfc: 3960, section: "3.2" },
    ],
    standing: "current",
    isRegistered: true,
    roles: ["uas", "gateway"],
    methods: ["INVITE"],
    headers: { mustWhen: [...dialogForming, ...whenReliable], may: ["Alert-Info"] },
    retry: "none",
  },
  {
    code: 181,
    phrase: "Call Is Being Forwarded",
    class: "provisional",
    sources: [
      { rfc: 3261, section: "21.1.3" },
      { rfc: 7044, section: "9.4" },
    ],
    standing: "current",
    isRegistered: true,
    roles: ["uas", "gateway"],
    methods: ["INVITE"],
    dialog: "outside",
    headers: {
      mustWhen: [
        ...dialogForming,
        ...whenReliable,
        { header: "History-Info", when: "the request had it or supports histinfo" },
      ],
    },
    retry: "none",
  },
  {
    code: 182,
    phrase: "Queued",
    class: "provisional",
    sources: [
      { rfc: 3261, section: "21.1.4" },
      { rfc: 3841, section: "9.1" },
      { rfc: 4412, section: "4.7.2.2" },
    ],
    standing: "current",
    isRegistered: true,
    roles: ["uas", "gateway"],
    methods: ["INVITE"],
    dialog: "outside",
    headers: { mustWhen: [...dialogForming, ...whenReliable] },
    retry: "none",
  },
  {
    code: 183,
    phrase: "Session Progress",
    class: "provisional",
    sources: [
      { rfc: 3261, section: "21.1.5" },
      { rfc: 3262, section: "5" },
      { rfc: 3312, section: "5" },
    ],
    standing: "current",
    isRegistered: true,
    roles: ["uas", "gateway"],
    methods: ["INVITE"],
    headers: { mustWhen: [...dialogForming, ...whenReliable] },
    retry: "none",
  },
  {
    code: 199,
    phrase: "Early Dialog Terminated",
    class: "provisional",
    sources: [{ rfc: 6228, section: "4" }],
    standing: "current",
    isRegistered: true,
    roles: ["proxy", "uas"],
    methods: ["INVITE"],
    dialog: "outside",
    headers: { must: ["Reason"], mustWhen: [...whenReliable] },
    retry: "none",
  },
  {
    code: 200,
    phrase: "OK",
    class: "success",
    sources: [
      { rfc: 3261, section: "21.2.1" },
      { rfc: 6026, section: "7" },
      { rfc: 6665, section: "4.2.1" },
      { rfc: 3903, section: "6" },
    ],
    standing: "current",
    isRegistered: true,
    roles: ["uas", "proxy", "registrar", "redirect", "notifier", "subscriber", "compositor", "gateway"],
    methods: "any",
    headers: {
      mustWhen: [
        ...dialogForming,
        { header: "Contact", when: "it answers REGISTER and bindings exist" },
        { header: "Expires", when: "it answers SUBSCRIBE or PUBLISH" },
        { header: "SIP-ETag", when: "it answers PUBLISH" },
      ],
      should: ["Allow", "Supported"],
    },
    retry: "none",
  },
  {
    code: 202,
    phrase: "Accepted",
    class: "success",
    sources: [
      { rfc: 6665, section: "8.3.1" },
      { rfc: 3428, section: "7" },
      { rfc: 5365, section: "7" },
    ],
    standing: "deprecated",
    isRegistered: true,
    roles: ["relay"],
    // RFC 6665 and RFC 7647 §5 forbid it to SUBSCRIBE, NOTIFY and REFER.
    methods: ["MESSAGE"],
    dialog: "outside",
    headers: {},
    retry: "none",
  },
  {
    code: 204,
    phrase: "No Notification",
    class: "success",
    sources: [{ rfc: 5839, section: "7.1" }],
    standing: "current",
    isRegistered: true,
    roles: ["notifier"],
    methods: ["SUBSCRIBE"],
    dialog: "inside",
    headers: { must: ["Expires"], mustWhen: [{ header: "Contact", when: "it updates the dialog" }] },
    retry: "none",
  },
] as const satisfies readonly ResponseFacts[];
