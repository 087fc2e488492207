// What is expected of each torture message: RFC 4475, RFC 5118. Data; test/torture.test.ts checks the message level,
// and the column `stack` says what a whole element does with the messages that parse.
import { bodyParts, type SipMessage } from "@offhook/sip/message";

/** What an element answers, as a whole. */
export interface StackVerdict {
  /** Who decides: the parser, the stack below all roles, or a role. */
  readonly by: "parser" | "stack" | "proxy" | "registrar" | "user agent";
  /** Statuses that fit the text; "none" if nothing is ever sent; "policy" where the RFC leaves it to the element. */
  readonly status: readonly number[] | "none" | "policy";
  /** Header fields that this response must carry. */
  readonly headers?: readonly string[];
  readonly why: string;
}

export interface TortureRow {
  readonly file: string;
  /** RFC and section. */
  readonly section: string;
  readonly title: string;
  readonly kind: "request" | "response";
  /** Message level: parses; is refused with a status; is dropped (a response is never answered). */
  readonly verdict: "accept" | "refuse" | "drop";
  /** The status that the ParseError names. */
  readonly status?: number;
  /** Part of the ParseError's message. */
  readonly reason?: string;
  /** Headers that parse only on demand and are malformed here, with the reason. */
  readonly lateErrors?: Readonly<Record<string, string>>;
  readonly stack: StackVerdict;
  /** What must be read out of a message that parses: path-like name and value. */
  readonly reads?: (message: SipMessage) => readonly (readonly [actual: unknown, expected: unknown])[];
}

const policy: StackVerdict = { by: "proxy", status: "policy", why: "well-formed: local policy decides" };
const noMatch: StackVerdict = {
  by: "stack",
  status: "none",
  why: "a response that matches no transaction is discarded (RFC 3261 §18.1.2)",
};
const byParser = (status: number): StackVerdict => ({ by: "parser", status: [status], why: "malformed" });

function request(m: SipMessage) {
  if (m.kind !== "request") throw new Error("not a request");
  return m;
}
function sip(uri: { scheme: string }) {
  return uri as {
    scheme: string;
    user?: string;
    host: string;
    port?: number;
    params: ReadonlyMap<string, string>;
    headers: ReadonlyMap<string, string>;
  };
}
const vias = (m: SipMessage) => m.headers.getAll("Via");

export const tortureTable: readonly TortureRow[] = [
  {
    file: "rfc4475/wsinv.dat",
    section: "RFC 4475 §3.1.1.1",
    title: "a short tortuous INVITE",
    kind: "request",
    verdict: "accept",
    stack: {
      ...policy,
      why: "well-formed; its branch has no magic cookie: matched by the rules of RFC 2543",
    },
    reads: (m) => [
      [request(m).maxForwards, 68],
      [m.cSeq.sequence, 9],
      [m.to.tag, "1918181833n"],
      [m.from.displayName, 'J Rosenberg \\"'],
      [m.from.tag, "98asjd8"],
      [
        vias(m)
          .map((via) => `${via.transport} ${via.host} ${via.branch}`)
          .join(),
        "UDP 192.0.2.2 390skdjuw,TCP spindle.example.com z9hG4bK9ikj8,UDP 192.168.255.111 z9hG4bK30239",
      ],
      [m.headers.get("Subject"), ""],
      [m.headers.raw("NewFangledHeader"), "newfangled value continued newfangled value"],
      [m.headers.raw("UnknownHeaderWithUnusualValue"), ";;,,;;,;"],
      [(m.headers.get("Contact") as { q?: number }).q, 0.33],
      [(m.headers.get("Contact") as { displayName?: string }).displayName, 'Quoted string ""'],
      [sip(m.headers.get("Route")!.uri).params.get("unknownwith"), "value"],
      [sip(request(m).requestUri).params.has("unknownparam"), true],
      [m.body.length, 150],
    ],
  },
  {
    file: "rfc4475/intmeth.dat",
    section: "RFC 4475 §3.1.1.2",
    title: "wide range of valid characters",
    kind: "request",
    verdict: "accept",
    stack: {
      by: "user agent",
      status: [501, 404, 480, 405, 403],
      headers: ["Allow"],
      why: "unknown method; 404 where a proxy does not know the user",
    },
    reads: (m) => [
      [request(m).method, "!interesting-Method0123456789_*+`.%indeed'~"],
      [sip(request(m).requestUri).user, "1_unusual.URI~(to-be!sure)&isn't+it$/crazy?,/;;*"],
      [sip(request(m).requestUri).host, "example.com"],
      [m.callId, "intmeth.word%ZK-!.*_+'@word`~)(><:\\/\"][?}{"],
      [m.to.displayName, "BEL:\u0007 NUL:\u0000 DEL:\u007f"],
      [m.from.displayName, "token1~` token2'+_ token3*%!.-"],
      [m.from.params.get("fromparam''~+*_!.-%"), "работающий"],
      [m.from.tag, "_token~1'+`*%!-."],
      [m.headers.raw("extensionHeader-!.%*+_`'~"), "\ufeff大停電"],
      [request(m).maxForwards, 255],
    ],
  },
  {
    file: "rfc4475/esc01.dat",
    section: "RFC 4475 §3.1.1.3",
    title: "valid use of the % escaping mechanism",
    kind: "request",
    verdict: "accept",
    stack: policy,
    reads: (m) => [
      [sip(request(m).requestUri).user, "sips:user@example.com"],
      [sip(request(m).requestUri).host, "example.net"],
      [sip((m.headers.get("Contact") as { uri: { scheme: string } }).uri).params.get("name"), "value%41"],
    ],
  },
  {
    file: "rfc4475/escnull.dat",
    section: "RFC 4475 §3.1.1.4",
    title: "escaped nulls in URIs",
    kind: "request",
    verdict: "accept",
    stack: { by: "registrar", status: "policy", why: "well-formed REGISTER of two distinct contacts" },
    reads: (m) => [
      [sip(m.to.uri).user, "null-\u0000-null"],
      [
        m.headers
          .getAll("Contact")
          .map((c) => sip((c as { uri: { scheme: string } }).uri).user)
          .join("|"),
        "\u0000|\u0000\u0000",
      ],
    ],
  },
  {
    file: "rfc4475/esc02.dat",
    section: "RFC 4475 §3.1.1.5",
    title: "use of % when it is not an escape",
    kind: "request",
    verdict: "accept",
    stack: {
      by: "user agent",
      status: [501, 404, 405, 403],
      headers: ["Allow"],
      why: "unknown method, not REGISTER",
    },
    reads: (m) => [
      [request(m).method, "RE%47IST%45R"],
      [m.to.displayName, "%Z%45"],
      [m.headers.getAll("Contact").length, 2],
    ],
  },
  {
    file: "rfc4475/lwsdisp.dat",
    section: "RFC 4475 §3.1.1.6",
    title: "no LWS between display name and <",
    kind: "request",
    verdict: "accept",
    stack: policy,
    reads: (m) => [[m.from.displayName, "caller"]],
  },
  {
    file: "rfc4475/longreq.dat",
    section: "RFC 4475 §3.1.1.7",
    title: "long values in header fields",
    kind: "request",
    verdict: "accept",
    stack: policy,
    reads: (m) => [
      [vias(m).length, 34],
      [m.topVia.host, "sip33.example.com"],
      [vias(m)[33]!.received, "192.0.2.5"],
      [m.topBranch, undefined],
    ],
  },
  {
    file: "rfc4475/dblreq.dat",
    section: "RFC 4475 §3.1.1.8",
    title: "extra trailing octets in a UDP datagram",
    kind: "request",
    verdict: "accept",
    stack: {
      by: "registrar",
      status: "policy",
      why: "the REGISTER is processed, what follows is ignored: one response",
    },
    reads: (m) => [
      [request(m).method, "REGISTER"],
      [m.body.length, 0],
      [new TextDecoder().decode(m.bytes).includes("INVITE"), false],
    ],
  },
  {
    file: "rfc4475/semiuri.dat",
    section: "RFC 4475 §3.1.1.9",
    title: "semicolon-separated parameters in the user part",
    kind: "request",
    verdict: "accept",
    stack: policy,
    reads: (m) => [
      [sip(request(m).requestUri).user, "user;par=u@example.net"],
      [sip(request(m).requestUri).host, "example.com"],
      [sip(request(m).requestUri).params.size, 0],
    ],
  },
  {
    file: "rfc4475/transports.dat",
    section: "RFC 4475 §3.1.1.10",
    title: "varied and unknown transport types",
    kind: "request",
    verdict: "accept",
    stack: policy,
    reads: (m) => [
      [
        vias(m)
          .map((via) => via.transport)
          .join(),
        "UDP,SCTP,TLS,UNKNOWN,TCP",
      ],
    ],
  },
  {
    file: "rfc4475/mpart01.dat",
    section: "RFC 4475 §3.1.1.11",
    title: "multipart MIME message",
    kind: "request",
    verdict: "accept",
    stack: policy,
    reads: (m) => [
      [m.headers.get("Content-Type")!.type, "multipart/mixed"],
      [
        bodyParts(m)
          .map((part) => `${part.type.type} ${part.body.length}`)
          .join(),
        "text/plain 5,application/octet-stream 342",
      ],
      [m.topVia.rport, true],
    ],
  },
  {
    file: "rfc4475/unreason.dat",
    section: "RFC 4475 §3.1.1.12",
    title: "unusual reason phrase",
    kind: "response",
    verdict: "accept",
    stack: noMatch,
    reads: (m) => [
      [m.kind === "response" && m.reasonPhrase, "= 2**3 * 5**2 но сто девяносто девять - простое"],
    ],
  },
  {
    file: "rfc4475/noreason.dat",
    section: "RFC 4475 §3.1.1.13",
    title: "empty reason phrase",
    kind: "response",
    verdict: "accept",
    stack: noMatch,
    reads: (m) => [[m.kind === "response" && `${m.statusCode}${m.reasonPhrase}`, "100"]],
  },
  {
    file: "rfc4475/badinv01.dat",
    section: "RFC 4475 §3.1.2.1",
    title: "extraneous header field separators",
    kind: "request",
    verdict: "refuse",
    status: 400,
    reason: "Via: a parameter has no name",
    stack: byParser(400),
  },
  {
    file: "rfc4475/clerr.dat",
    section: "RFC 4475 §3.1.2.2",
    title: "Content-Length larger than the message",
    kind: "request",
    verdict: "refuse",
    status: 400,
    reason: "Content-Length: larger",
    stack: { ...byParser(400), why: "in a datagram; on a stream it waits for more, then closes" },
  },
  {
    file: "rfc4475/ncl.dat",
    section: "RFC 4475 §3.1.2.3",
    title: "negative Content-Length",
    kind: "request",
    verdict: "refuse",
    status: 400,
    reason: "Content-Length: not a number",
    stack: { ...byParser(400), why: "in a datagram; on a stream framing is lost and the connection closes" },
  },
  {
    file: "rfc4475/scalar02.dat",
    section: "RFC 4475 §3.1.2.4",
    title: "request scalar fields with overlarge values",
    kind: "request",
    verdict: "refuse",
    status: 400,
    reason: "Max-Forwards: above 255",
    stack: byParser(400),
  },
  {
    file: "rfc4475/scalarlg.dat",
    section: "RFC 4475 §3.1.2.5",
    title: "response scalar fields with overlarge values",
    kind: "response",
    verdict: "drop",
    reason: "CSeq: above 4294967295",
    stack: { by: "parser", status: "none", why: "a malformed response is discarded" },
  },
  {
    file: "rfc4475/quotbal.dat",
    section: "RFC 4475 §3.1.2.6",
    title: "unterminated quoted string in a display name",
    kind: "request",
    verdict: "refuse",
    status: 400,
    reason: "To: a quoted string does not end",
    stack: byParser(400),
  },
  {
    file: "rfc4475/ltgtruri.dat",
    section: "RFC 4475 §3.1.2.7",
    title: "<> enclosing the Request-URI",
    kind: "request",
    verdict: "refuse",
    status: 400,
    reason: "Request-URI: not a URI",
    stack: byParser(400),
  },
  {
    file: "rfc4475/lwsruri.dat",
    section: "RFC 4475 §3.1.2.8",
    title: "LWS in the Request-URI",
    kind: "request",
    verdict: "refuse",
    status: 400,
    reason: "start line: no SIP version",
    stack: byParser(400),
  },
  {
    file: "rfc4475/lwsstart.dat",
    section: "RFC 4475 §3.1.2.9",
    title: "several SP between the elements of the request line",
    kind: "request",
    verdict: "refuse",
    status: 400,
    reason: "start line: not a method, a URI and a version",
    stack: byParser(400),
  },
  {
    file: "rfc4475/trws.dat",
    section: "RFC 4475 §3.1.2.10",
    title: "SP at the end of the request line",
    kind: "request",
    verdict: "refuse",
    status: 400,
    reason: "start line: no SIP version",
    stack: byParser(400),
  },
  {
    file: "rfc4475/escruri.dat",
    section: "RFC 4475 §3.1.2.11",
    title: "escaped headers in the Request-URI",
    kind: "request",
    verdict: "refuse",
    status: 400,
    reason: "Request-URI: a URI with headers",
    stack: byParser(400),
  },
  {
    file: "rfc4475/baddate.dat",
    section: "RFC 4475 §3.1.2.12",
    title: "invalid time zone in Date",
    kind: "request",
    verdict: "accept",
    lateErrors: { Date: "not a date in GMT" },
    stack: { ...policy, why: "Date matters to nobody on the way: treated as well-formed" },
  },
  {
    file: "rfc4475/regbadct.dat",
    section: "RFC 4475 §3.1.2.13",
    title: "Contact URI with ? not in <>",
    kind: "request",
    verdict: "accept",
    lateErrors: { Contact: "unexpected text after the address" },
    stack: {
      by: "registrar",
      status: [400, 401, 403, 404, 407],
      why: "who reads Contact refuses it (RFC 8217)",
    },
  },
  {
    file: "rfc4475/badaspec.dat",
    section: "RFC 4475 §3.1.2.14",
    title: "spaces within addr-spec",
    kind: "request",
    verdict: "refuse",
    status: 400,
    reason: "To: not a URI",
    stack: byParser(400),
  },
  {
    file: "rfc4475-fixed/baddn.dat",
    section: "RFC 4475 §3.1.2.15",
    title: "non-token characters in a display name",
    kind: "request",
    verdict: "refuse",
    status: 400,
    reason: "From: not a URI",
    stack: byParser(400),
  },
  {
    file: "rfc4475/baddn.dat",
    section: "RFC 4475 §3.1.2.15 (archive)",
    title: "the same without an empty line after the header",
    kind: "request",
    verdict: "refuse",
    status: 400,
    reason: "message: no empty line ends the header",
    stack: byParser(400),
  },
  {
    file: "rfc4475/badvers.dat",
    section: "RFC 4475 §3.1.2.16",
    title: "unknown protocol version",
    kind: "request",
    verdict: "refuse",
    status: 505,
    reason: "start line: another version than SIP/2.0",
    stack: byParser(505),
  },
  {
    file: "rfc4475/mismatch01.dat",
    section: "RFC 4475 §3.1.2.17",
    title: "start line and CSeq method mismatch",
    kind: "request",
    verdict: "refuse",
    status: 400,
    reason: "CSeq: another method",
    stack: byParser(400),
  },
  {
    file: "rfc4475/mismatch02.dat",
    section: "RFC 4475 §3.1.2.18",
    title: "unknown method with CSeq method mismatch",
    kind: "request",
    verdict: "refuse",
    status: 501,
    reason: "CSeq: another method",
    stack: byParser(501),
  },
  {
    file: "rfc4475/bigcode.dat",
    section: "RFC 4475 §3.1.2.19",
    title: "overlarge response code",
    kind: "response",
    verdict: "drop",
    reason: "start line: no status code",
    stack: { by: "parser", status: "none", why: "a malformed response is discarded" },
  },
  {
    file: "rfc4475/badbranch.dat",
    section: "RFC 4475 §3.2.1",
    title: "missing transaction identifier",
    kind: "request",
    verdict: "refuse",
    status: 400,
    reason: "Via: a branch of nothing but the magic cookie",
    stack: byParser(400),
  },
  {
    file: "rfc4475/insuf.dat",
    section: "RFC 4475 §3.3.1",
    title: "missing required header fields",
    kind: "request",
    verdict: "refuse",
    status: 400,
    reason: "From: missing",
    stack: byParser(400),
  },
  {
    file: "rfc4475/unkscm.dat",
    section: "RFC 4475 §3.3.2",
    title: "Request-URI with an unknown scheme",
    kind: "request",
    verdict: "accept",
    stack: { by: "proxy", status: [416], why: "a scheme that nobody here can route" },
    reads: (m) => [[request(m).requestUri.scheme, "nobodyknowsthisscheme"]],
  },
  {
    file: "rfc4475/novelsc.dat",
    section: "RFC 4475 §3.3.3",
    title: "Request-URI with a known but atypical scheme",
    kind: "request",
    verdict: "accept",
    stack: { by: "proxy", status: [416], why: "a scheme that nobody here can route" },
    reads: (m) => [[request(m).requestUri.scheme, "soap.beep"]],
  },
  {
    file: "rfc4475/unksm2.dat",
    section: "RFC 4475 §3.3.4",
    title: "unknown URI schemes in header fields",
    kind: "request",
    verdict: "accept",
    stack: {
      by: "registrar",
      status: [400, 401, 404],
      why: "To is no address-of-record; a challenge or 404 may come first (RFC 3261 §10.3)",
    },
    reads: (m) => [
      [m.to.uri.scheme, "isbn"],
      [m.from.uri.scheme, "http"],
      [(m.headers.get("Contact") as { uri: { scheme: string } }).uri.scheme, "name"],
    ],
  },
  {
    file: "rfc4475/bext01.dat",
    section: "RFC 4475 §3.3.5",
    title: "Proxy-Require and Require",
    kind: "request",
    verdict: "accept",
    stack: { by: "proxy", status: [420], headers: ["Unsupported"], why: "extensions that nobody here knows" },
    reads: (m) => [
      [m.headers.getAll("Require").join(), "nothingSupportsThis,nothingSupportsThisEither"],
      [m.headers.getAll("Proxy-Require").join(), "noProxiesSupportThis,norDoAnyProxiesSupportThis"],
    ],
  },
  {
    file: "rfc4475/invut.dat",
    section: "RFC 4475 §3.3.6",
    title: "unknown Content-Type",
    kind: "request",
    verdict: "accept",
    stack: {
      by: "user agent",
      status: [415],
      headers: ["Accept"],
      why: "a proxy passes it on as any INVITE",
    },
    reads: (m) => [[m.headers.get("Content-Type")!.type, "application/unknownformat"]],
  },
  {
    file: "rfc4475/regaut01.dat",
    section: "RFC 4475 §3.3.7",
    title: "unknown Authorization scheme",
    kind: "request",
    verdict: "accept",
    stack: {
      by: "registrar",
      status: [401, 200, 403, 404, 405],
      why: "credentials that mean nothing here: challenged again, or ignored without authentication",
    },
    reads: (m) => [
      [m.headers.get("Authorization")!.scheme, "NoOneKnowsThisScheme"],
      [m.headers.get("Authorization")!.params.get("opaque-data"), "here"],
    ],
  },
  {
    file: "rfc4475/multi01.dat",
    section: "RFC 4475 §3.3.8",
    title: "multiple values in single-value required fields",
    kind: "request",
    verdict: "refuse",
    status: 400,
    reason: "more than one",
    stack: byParser(400),
  },
  {
    file: "rfc4475/mcl01.dat",
    section: "RFC 4475 §3.3.9",
    title: "multiple Content-Length values",
    kind: "request",
    verdict: "refuse",
    status: 400,
    reason: "Content-Length: more than one",
    stack: { ...byParser(400), why: "in a datagram; on a stream framing is lost and the connection closes" },
  },
  {
    file: "rfc4475/bcast.dat",
    section: "RFC 4475 §3.3.10",
    title: "200 with a broadcast Via",
    kind: "response",
    verdict: "accept",
    stack: noMatch,
    reads: (m) => [[vias(m)[1]!.host, "255.255.255.255"]],
  },
  {
    file: "rfc4475/zeromf.dat",
    section: "RFC 4475 §3.3.11",
    title: "Max-Forwards of zero",
    kind: "request",
    verdict: "accept",
    stack: {
      by: "proxy",
      status: [483, 200],
      why: "not to be forwarded; being OPTIONS, it may be answered (§16.3)",
    },
    reads: (m) => [[request(m).maxForwards, 0]],
  },
  {
    file: "rfc4475/cparam01.dat",
    section: "RFC 4475 §3.3.12",
    title: "REGISTER with a contact header parameter",
    kind: "request",
    verdict: "accept",
    stack: {
      by: "registrar",
      status: "policy",
      why: "the parameter is the header's and must not turn up in the URI of the binding",
    },
    reads: (m) => {
      const contact = m.headers.get("Contact") as {
        uri: { scheme: string };
        params: ReadonlyMap<string, string>;
      };
      return [
        [contact.params.has("unknownparam"), true],
        [sip(contact.uri).params.size, 0],
      ];
    },
  },
  {
    file: "rfc4475/cparam02.dat",
    section: "RFC 4475 §3.3.13",
    title: "REGISTER with a url-parameter",
    kind: "request",
    verdict: "accept",
    stack: { by: "registrar", status: "policy", why: "the parameter belongs to the URI of the binding" },
    reads: (m) => {
      const contact = m.headers.get("Contact") as {
        uri: { scheme: string };
        params: ReadonlyMap<string, string>;
      };
      return [
        [contact.params.size, 0],
        [sip(contact.uri).params.has("unknownparam"), true],
      ];
    },
  },
  {
    file: "rfc4475/regescrt.dat",
    section: "RFC 4475 §3.3.14",
    title: "REGISTER with an escaped header in the contact URI",
    kind: "request",
    verdict: "accept",
    stack: { by: "registrar", status: "policy", why: "the escaped Route stays in the contact URI" },
    reads: (m) => [
      [
        sip((m.headers.get("Contact") as { uri: { scheme: string } }).uri).headers.get("route"),
        "<sip:sip.example.com>",
      ],
    ],
  },
  {
    file: "rfc4475/sdp01.dat",
    section: "RFC 4475 §3.3.15",
    title: "unacceptable Accept offering",
    kind: "request",
    verdict: "accept",
    stack: {
      by: "user agent",
      status: [406, 400, 488],
      why: "no application/sdp may be answered; a proxy passes it on as any INVITE",
    },
    reads: (m) => [
      [
        m.headers
          .getAll("Accept")
          .map((range) => range.type)
          .join(),
        "text/nobodyknowsthis",
      ],
    ],
  },
  {
    file: "rfc4475/inv2543.dat",
    section: "RFC 4475 §3.4.1",
    title: "INVITE with RFC 2543 syntax",
    kind: "request",
    verdict: "accept",
    stack: {
      ...policy,
      why: "legal in RFC 2543: no branch, no From tag, no Content-Length, no Max-Forwards",
    },
    reads: (m) => [
      [m.from.tag, undefined],
      [m.topBranch, undefined],
      [request(m).maxForwards, undefined],
      [m.body.length > 0, true],
    ],
  },
  {
    file: "rfc4475/test.dat",
    section: "RFC 4475, Appendix A.1 only",
    title: "a request line without version, no Via",
    kind: "request",
    verdict: "refuse",
    status: 400,
    reason: "start line: ",
    stack: { by: "parser", status: "none", why: "without a Via there is nowhere to answer to" },
  },

  {
    file: "rfc5118/ipv6-good.dat",
    section: "RFC 5118 §4.1",
    title: "valid message with an IPv6 reference",
    kind: "request",
    verdict: "accept",
    stack: policy,
    reads: (m) => [
      [sip(request(m).requestUri).host, "2001:db8::10"],
      [m.topVia.host, "2001:db8::9:1"],
    ],
  },
  {
    file: "rfc5118/ipv6-bad.dat",
    section: "RFC 5118 §4.2",
    title: "IPv6 address without brackets in the Request-URI",
    kind: "request",
    verdict: "refuse",
    status: 400,
    reason: "Request-URI: ",
    stack: byParser(400),
  },
  {
    file: "rfc5118/port-ambiguous.dat",
    section: "RFC 5118 §4.3",
    title: "port ambiguous in a SIP URI",
    kind: "request",
    verdict: "accept",
    stack: policy,
    reads: (m) => [
      [sip(request(m).requestUri).host, "2001:db8::10:5070"],
      [sip(request(m).requestUri).port, undefined],
    ],
  },
  {
    file: "rfc5118/port-unambiguous.dat",
    section: "RFC 5118 §4.4",
    title: "port unambiguous in a SIP URI",
    kind: "request",
    verdict: "accept",
    stack: policy,
    reads: (m) => [
      [sip(request(m).requestUri).host, "2001:db8::10"],
      [sip(request(m).requestUri).port, 5070],
    ],
  },
  {
    file: "rfc5118/via-received-param-with-delim.dat",
    section: "RFC 5118 §4.5",
    title: "received with brackets",
    kind: "request",
    verdict: "accept",
    stack: { by: "stack", status: "policy", why: "a BYE outside any dialog" },
    reads: (m) => [[m.topVia.received, "2001:db8::9:255"]],
  },
  {
    file: "rfc5118/via-received-param-no-delim.dat",
    section: "RFC 5118 §4.5",
    title: "received without brackets",
    kind: "request",
    verdict: "accept",
    stack: policy,
    reads: (m) => [[m.topVia.received, "2001:db8::9:255"]],
  },
  {
    file: "rfc5118/ipv6-in-sdp.dat",
    section: "RFC 5118 §4.6",
    title: "IPv6 addresses in SDP",
    kind: "request",
    verdict: "accept",
    stack: policy,
    reads: (m) => [[m.body.length, 251]],
  },
  {
    file: "rfc5118/mult-ip-in-header.dat",
    section: "RFC 5118 §4.7",
    title: "several IP addresses in header fields",
    kind: "request",
    verdict: "accept",
    stack: { by: "stack", status: "policy", why: "a BYE outside any dialog" },
    reads: (m) => [
      [
        vias(m)
          .map((via) => via.host)
          .join(" "),
        "2001:db8::9:1 192.0.2.1 2001:db8::9:255",
      ],
    ],
  },
  {
    file: "rfc5118/mult-ip-in-sdp.dat",
    section: "RFC 5118 §4.8",
    title: "several IP addresses in SDP",
    kind: "request",
    verdict: "accept",
    stack: policy,
    reads: (m) => [[m.body.length, 189]],
  },
  {
    file: "rfc5118/ipv4-mapped-ipv6.dat",
    section: "RFC 5118 §4.9",
    title: "IPv4-mapped IPv6 addresses",
    kind: "request",
    verdict: "accept",
    stack: policy,
    reads: (m) => [
      [m.topVia.host, "::ffff:192.0.2.10"],
      [m.topVia.port, 19823],
    ],
  },
  {
    file: "rfc5118/ipv6-bug-abnf-3-colons.dat",
    section: "RFC 5118 §4.10",
    title: "three colons, as RFC 3261's grammar wrote it",
    kind: "request",
    verdict: "accept",
    stack: policy,
    reads: (m) => [[sip(request(m).requestUri).host, "2001:db8::192.0.2.1"]],
  },
  {
    file: "rfc5118/ipv6-correct-abnf-2-colons.dat",
    section: "RFC 5118 §4.10",
    title: "two colons, as it should be",
    kind: "request",
    verdict: "accept",
    stack: policy,
    reads: (m) => [[sip(request(m).requestUri).host, "2001:db8::192.0.2.1"]],
  },
];
