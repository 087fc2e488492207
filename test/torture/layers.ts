// RFC 4475 §3.2 to §3.4: what the layers above the parser must see, and RFC 2543.
import { byParser, noMatch, policy, request, sip, type TortureRow, vias } from "./row.ts";

export const layerRows: readonly TortureRow[] = [
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
];
