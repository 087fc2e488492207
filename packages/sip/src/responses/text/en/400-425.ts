// English: 400 to 425. Requests that cannot be understood, allowed or routed as they are.
import type { CodeTexts } from "../code-text.ts";

export const requestFailure = {
  400: {
    meaning: "The request is malformed or contradicts itself. Sending it again unchanged cannot help.",
    causes: [
      "A mandatory header is missing, repeated or unreadable",
      "A router's SIP ALG rewrote the message and broke its Content-Length",
      "A UDP packet was cut short on the way",
      "A registration asks for things that exclude each other, such as Contact: * together with Expires: 60",
    ],
    checks: [
      "The reason phrase and Warning, which usually name the fault",
      "Compare the message as it left with the message as it arrived",
      "Turn off SIP ALG in the router; try TCP instead of UDP",
    ],
  },
  401: {
    meaning:
      "The server that the request is for wants to know who is asking. A first 401 is normal: the phone answers it with its credentials.",
    causes: [
      "The first request of a registration, which never carries credentials",
      "Wrong password, user name or realm",
      "The phone does not know the algorithm offered, such as SHA-256",
      "The nonce has expired (stale=true); the phone should go on without asking its user",
    ],
    checks: [
      "Does a second request with Authorization follow, and is that refused too?",
      "User name, authentication name, password and the realm in WWW-Authenticate",
      "Which algorithms WWW-Authenticate offers; old phones need MD5",
    ],
  },
  402: {
    meaning: "Reserved: no standard says when to send it. Where it is seen, no credit is left.",
    causes: ["The prepaid balance of the caller is used up", "The credit at the carrier's trunk has run out"],
    checks: [
      "The balance of the account, ours and at the carrier",
      "Whether the billing system answers at all: some refuse every call while it is down",
    ],
  },
  403: {
    meaning:
      "The server understood the request and refuses it. Other credentials or another try will not help.",
    causes: [
      "The caller may not dial this class of numbers or relay to that domain",
      "The phone logs in as one user and registers or calls as another",
      "The carrier does not accept our IP address or the caller's number",
      "Too many wrong passwords: the source is locked out for now",
    ],
    checks: [
      "The reason phrase, which often says why",
      "Is the authentication name allowed to use the address in From and To?",
      "Block lists, permitted destinations and the list of trusted addresses on the server",
    ],
  },
  404: {
    meaning:
      "There is no such user in the domain called, or the domain is not one that this server looks after.",
    causes: [
      "A mistyped number or name",
      "The number is not in the form the server expects, for instance without its country code",
      "The host name in the address is not among the server's domains",
      "The account was deleted or never created",
    ],
    checks: [
      "The Request-URI as it arrived at the server: user part and host",
      "Number rewriting on the way: prefixes, leading zeros, +",
      "The server's list of domains and aliases",
    ],
  },
  405: {
    meaning: "The method is known here, but this address does not take it. Allow lists what it takes.",
    causes: [
      "A request other than REGISTER went to a server that only registers",
      "The feature is switched off on the device, for instance messages or transfers",
      "A session border controller (SBC) filters methods",
    ],
    checks: [
      "Allow in the response against the method sent",
      "Was the request meant for this host, or was the registrar taken for the proxy?",
    ],
  },
  406: {
    meaning:
      "The only answer the server could give is in a format that Accept in the request does not list. For audio and video formats the code is 488.",
    causes: [
      "Subscriber and server use different formats for presence or other events",
      "The request has an empty Accept, or one that leaves out application/sdp",
      "Something between removed or rewrote Accept",
    ],
    checks: [
      "Accept as it arrived at the server",
      "Warning, which may list the types the server can produce",
    ],
  },
  407: {
    meaning:
      "A proxy on the way wants to know who is asking. A first 407 is normal: the phone answers it with its credentials.",
    causes: [
      "The first INVITE of a call, which carries no credentials yet",
      "Wrong password, or credentials for another realm than the proxy's",
      "The phone authenticates registrations but not calls",
    ],
    checks: [
      "Does a second request with Proxy-Authorization follow, for the realm in Proxy-Authenticate?",
      "The same 407 again and again: password, realm, algorithm",
      "Calls that do not end: is the BYE challenged too, and left unanswered?",
    ],
  },
  408: {
    meaning:
      "No answer came in time. A phone also shows it when its own timer runs out, without having received anything.",
    causes: [
      "The callee's phone is off or has lost its connection, but is still registered",
      "A firewall or NAT drops what is sent to it",
      "The phone or server got the request, but its responses do not find the way back",
      "The caller waited in a queue for too long",
    ],
    checks: [
      "Was it received or made locally? Server and the To tag tell which hop sent it",
      "How old the callee's registration is, and whether the phone answers an OPTIONS",
      "At which hop the trace ends: the one after it is the one to look at",
    ],
  },
  409: {
    meaning:
      "From RFC 2543 only: a registration asks for an action that contradicts an earlier one. Being registered already is no error.",
    causes: [
      "A very old phone registers with an action parameter, proxy or redirect, unlike the one on file",
      "A server misuses the code for having too many registrations",
    ],
    checks: [
      "The action parameter in Contact: leave it out",
      "The current bindings: a REGISTER without Contact lists them",
    ],
  },
  410: {
    meaning: "The user was here once, has left for good, and no new address is known.",
    causes: [
      "The account was deleted and nobody set a forwarding address",
      "The telephone network reports a changed number without saying the new one",
    ],
    checks: [
      "Ask for the new address by another way, then correct the address book",
      "On the server: should the old address point to a colleague or to a new number?",
    ],
  },
  411: {
    meaning: "From RFC 2543 only: the request has no Content-Length. Today's servers answer 400 instead.",
    causes: [
      "A script or an old stack sends over TCP without saying how long the body is",
      "A device on the way removed the header",
    ],
    checks: [
      "Is Content-Length in the message as it was sent, and as it arrived?",
      "Reconnect before repeating: after such a request the rest of the stream cannot be told apart",
    ],
  },
  412: {
    meaning:
      "The published state that a PUBLISH wanted to refresh, change or remove is no longer there under that tag.",
    causes: [
      "The publication expired before it was refreshed",
      "The server was restarted and has forgotten it",
      "Two devices work with the same entity tag",
    ],
    checks: [
      "The phone should now publish everything anew, without SIP-If-Match",
      "The refresh interval against Expires in the last 200",
      "If it happens all the time: does each device keep a tag of its own?",
    ],
  },
  413: {
    meaning:
      "The body of the request is larger than the server takes, for good or, with Retry-After, for now.",
    causes: [
      "A picture or a long text in one MESSAGE",
      "A session description with many codecs and candidates",
      "The recipient's store of offline messages is full",
    ],
    checks: [
      "Content-Length of the request against the limit of the server",
      "Fewer codecs, shorter messages, or a link instead of the content",
      "Retry-After: with it, the same request may pass later",
    ],
  },
  414: {
    meaning: "The server refuses to read a Request-URI of this length.",
    causes: [
      "Each hop adds parameters to the address, or escapes it once more",
      "A redirection came with an overlong address",
      "Somebody is testing the server for weaknesses",
    ],
    checks: ["The Request-URI hop by hop: where does it grow?", "Who sent it, if the address is senseless"],
  },
  415: {
    meaning:
      "The body has a type, encoding or language that the receiver does not take; the header that comes with it lists what it does.",
    causes: [
      "A gateway adds telephone-network data (ISUP, QSIG) to an INVITE for a phone",
      "The body is compressed or in several parts",
      "Encrypted content reaches a device that knows nothing of S/MIME",
    ],
    checks: [
      "Content-Type, Content-Encoding and Content-Language against Accept, Accept-Encoding and Accept-Language",
      "Can the extra part be left out, or be marked handling=optional?",
    ],
  },
  416: {
    meaning:
      "The scheme of the Request-URI, the part before the colon, is unknown to the server. An unknown user would be 404.",
    causes: [
      "A number was dialled as tel: at a server that takes only sip: and sips:",
      "An im: or pres: address was never resolved",
      "A typing mistake in front of the colon",
    ],
    checks: [
      "Dial the number as sip:number@domain;user=phone",
      "If the address was sips:, ask before falling back to sip:, which is not protected",
    ],
  },
  417: {
    meaning:
      "The request insists on a priority, but the server knows none of the values in Resource-Priority.",
    causes: [
      "The two networks use different priority namespaces",
      "A trunk is set to priority calls by mistake",
    ],
    checks: [
      "Accept-Resource-Priority, which may list the values that would do",
      "Is resource-priority really needed in Require? Without it the call passes at normal priority",
    ],
  },
  420: {
    meaning: "The request requires an extension that the receiver does not know; Unsupported names it.",
    causes: [
      "The caller demands reliable responses, session timers or preconditions of an older device",
      "Something on the way strips Supported but leaves Require",
      "A proxy does not know what Proxy-Require asks of it",
    ],
    checks: [
      "Unsupported against Require and Proxy-Require of the request",
      "The caller's settings: an extension set to required should be set to supported",
    ],
  },
  421: {
    meaning:
      "The server cannot serve the request without an extension that the caller does not offer; Require names it.",
    causes: [
      "An operator's network insists on Path or on a security agreement",
      "The callee insists on reliable responses",
      "Something on the way removed Supported",
    ],
    checks: [
      "Require of the response against Supported as the server received it",
      "Can the caller's device do this extension, and is it switched on?",
      "On the server: is the demand needed? It shuts out every device without the extension",
    ],
  },
  422: {
    meaning:
      "The session timer of the request is shorter than a server on the way allows; Min-SE says what is allowed.",
    causes: [
      "The phone asks for 90 seconds and the carrier wants 900 or 1800",
      "Something on the way lowered Session-Expires",
    ],
    checks: [
      "Set the phone's session timer to the value of Min-SE or more",
      "The call fails all the same: does each new INVITE carry the Min-SE it was told?",
    ],
  },
  423: {
    meaning:
      "A registration, subscription or publication would expire too soon; Min-Expires says how long it has to last.",
    causes: [
      "The phone registers every 30 seconds to keep its NAT open",
      "The server has to wake the app by push and needs more time for it",
      "The default of the app is below the server's minimum",
    ],
    checks: [
      "Raise the registration interval to Min-Expires",
      "Keep the NAT open by other means: CRLF or STUN keep-alives, or TCP",
    ],
  },
  424: {
    meaning:
      "The location sent with the request is malformed, insufficient or cannot be fetched; Geolocation-Error says which.",
    causes: [
      "The location document breaks its schema, or the part that Geolocation points to is missing",
      "The location server cannot be reached from the recipient",
      "The caller did not permit using or passing on the location",
    ],
    checks: [
      "The number in Geolocation-Error first",
      "Open the location address from the recipient's network",
      "Geolocation-Routing, if the call is to be routed by location",
    ],
  },
  425: {
    meaning: "The emergency alert in the message cannot be used at all; AlertMsg-Error says why.",
    causes: [
      "The alert document is not well-formed or lacks mandatory parts",
      "The alert is named in the headers, but the part or address is not there",
      "Something on the way dropped a part of the body",
    ],
    checks: [
      "AlertMsg-Error, then the alert document against the CAP schema",
      "Content-ID of the part against the address in Call-Info",
    ],
  },
} satisfies Partial<CodeTexts>;
