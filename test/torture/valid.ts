// RFC 4475 §3.1.1: well-formed, however odd they look.
import { bodyParts } from "@offhook/sip/message";
import { noMatch, policy, request, sip, type TortureRow, vias } from "./row.ts";

export const validRows: readonly TortureRow[] = [
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
];
