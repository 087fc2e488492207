// English: 428 to 494. Signed identity, flows, what a callee or a call cannot do at the moment.
import type { CodeTexts } from "../code-text.ts";

export const identityAndStateFailure = {
  428: {
    meaning: "The request has to be signed: an Identity header that the verifier can use is missing.",
    causes: [
      "The originating trunk does not sign its calls",
      "A session border controller (SBC) removed Identity or Date",
      "The signature is of a kind (ppt) that the verifier does not know",
    ],
    checks: [
      "Does the INVITE carry Identity when it leaves the originating network?",
      "The ppt value of Identity against what the verifier supports",
    ],
  },
  429: {
    meaning:
      "The target of a transfer wants proof of who asked for it, and Referred-By carries none that holds.",
    causes: [
      "The transfer target has a strict policy",
      "A server between dropped the signed part of the body but kept the reference to it",
      "The proof is too old or its clock is wrong",
    ],
    checks: [
      "The cid in Referred-By: is the body part that it names still there?",
      "The clocks of both sides",
      "The one who transfers has to repeat the REFER, now with a token; nobody else can repair it",
    ],
  },
  430: {
    meaning:
      "The connection to this one device is gone. The proxies deal with it by another connection of the same device; a caller should not see it.",
    causes: [
      "A NAT or firewall closed the connection for want of traffic",
      "The edge proxy was restarted",
      "The phone left its network without signing off",
    ],
    checks: [
      "Keep-alives of the phone against the time-out of the NAT and Flow-Timer",
      "The edge proxy's table of connections",
      "If the caller sees it: the proxy of the domain does not support outbound (RFC 5626)",
    ],
  },
  433: {
    meaning: "The callee takes no calls from people who hide their identity.",
    causes: [
      "The caller withholds the number, by default or by a dialling prefix",
      "The PBX or carrier makes the call anonymous without being asked",
    ],
    checks: [
      "From and Privacy as they left the caller's network",
      "Call again with the number shown, but only if the caller agrees",
    ],
  },
  436: {
    meaning: "The verifier could not fetch the certificate that the Identity header points to.",
    causes: [
      "The address in the info parameter cannot be reached from the verifier",
      "The certificate server has a TLS fault or only IPv6",
      "The verifier's own firewall stops outgoing web requests",
    ],
    checks: [
      "Fetch the info address with curl, on the verifier itself",
      "Does the address give a certificate, without a login or redirections?",
    ],
  },
  437: {
    meaning:
      "The certificate for the signed identity was fetched, but the verifier does not trust or support it.",
    causes: [
      "The certificate comes from a CA that is not on the verifier's list",
      "The certificate has expired or was revoked",
      "The certificate does not cover the caller's number",
      "Another algorithm than ES256 was used",
    ],
    checks: [
      "Dates, issuer and number range (TNAuthList) of the certificate",
      "Is the verifier's list of trusted CAs up to date?",
      "The signer needs another certificate; repeating the call does not help",
    ],
  },
  438: {
    meaning: "The signature of the caller's identity does not fit the request as it arrived.",
    causes: [
      "A session border controller (SBC) changed the number format in From or To, or the Date",
      "The key was replaced, but the info address is still the old one",
      "A media proxy changed the fingerprint in the session description",
    ],
    checks: [
      "The orig and dest numbers in the token against From and To as received",
      "Let the signer send the full form of the token instead of the compact one",
      "Sign at the last point where headers are changed",
    ],
  },
  439: {
    meaning:
      "The phone wants to register over several connections (outbound), but the first proxy on the way does not support that.",
    causes: [
      "The edge proxy or session border controller (SBC) has no RFC 5626",
      "A load balancer in front of it adds a Via",
      "Path was removed on the way to the registrar",
    ],
    checks: [
      "Does the REGISTER arrive with a Path that holds ob?",
      "Switch outbound off in the phone, or register through another proxy",
    ],
  },
  440: {
    meaning:
      "The request may not be forked widely enough to try every destination at once, so some were not tried.",
    causes: [
      "A group has more phones than Max-Breadth allows",
      "Several forking proxies in a row use up the allowance",
      "Somebody uses forking to multiply traffic",
    ],
    checks: [
      "Max-Breadth as it arrived, and the number of targets",
      "Let the proxy try its targets one after another",
      "Old registrations that inflate the group",
    ],
  },
  469: {
    meaning:
      "The INFO request belongs to a package that the other side never agreed to receive. The call goes on.",
    causes: [
      "Tones or other data are sent in INFO without having been agreed on",
      "A server between does not pass Recv-Info on",
    ],
    checks: [
      "Info-Package of the request against the Recv-Info that this side announced",
      "For keypad tones: use RFC 4733 events in the audio instead",
    ],
  },
  470: {
    meaning:
      "Some recipients on the list have not agreed to receive this, so the relay sent it to nobody. Permission-Missing may name them.",
    causes: [
      "The list holds people who were never asked",
      "A recipient has not answered the question yet",
      "A permission has run out",
    ],
    checks: [
      "Ask those named in Permission-Missing, or take them off the list",
      "The relay's list of permissions, and when they end",
    ],
  },
  480: {
    meaning: "The callee exists but cannot be reached now. Retry-After, if there, says when to try again.",
    causes: [
      "No phone of the callee is registered",
      "Do not disturb is on",
      "Nobody answered in time",
      "A mobile app could not be woken by push",
    ],
    checks: [
      "The callee's registrations on the server: is there one, and for how long?",
      "Warning 380 or 381: the caller insists on secure SIP (sips:) and the callee has none, or the reverse",
      "For an app: the log of the push service",
    ],
  },
  481: {
    meaning: "No call, subscription or transaction here matches the request; for this side it has ended.",
    causes: [
      "The other side was restarted or had hung up already",
      "A CANCEL came after the final response",
      "The request reached another node than the one that holds the call",
      "A subscription expired before it was refreshed",
    ],
    checks: [
      "Call-ID and both tags, on each node of a cluster",
      "Route and Contact: do later requests reach the same server as the INVITE?",
      "After a BYE it is harmless: the call is over on both sides",
    ],
  },
  482: {
    meaning: "The request came back to a place where it had been, or reached one phone by two ways.",
    causes: [
      "Two users forward to each other",
      "DNS or a route sends the domain back to the same proxy",
      "The proxy does not know all of its own names and addresses",
      "One phone is registered twice and gets both copies",
    ],
    checks: [
      "The list of Via headers: which host occurs twice?",
      "Forwarding rules of everybody who was involved",
      "The proxy's list of its own domains",
    ],
  },
  483: {
    meaning: "The request passed through as many servers as it was allowed to, and had still not arrived.",
    causes: [
      "A routing loop, often between two servers that each believe the other to be responsible",
      "A forwarding loop through servers that start every call afresh",
      "Max-Forwards was too small from the start",
    ],
    checks: [
      "Hosts that occur more than once in Via or History-Info",
      "Max-Forwards as the caller sent it: 70 is usual",
      "OPTIONS with Max-Forwards 0, 1, 2 … shows the way hop by hop",
    ],
  },
  484: {
    meaning: "The number is not complete: there are longer ones that begin like it.",
    causes: [
      "The user stopped while dialling, or the phone sent too early",
      "The area code or a prefix is missing",
      "The dial plan expects more digits than the number really has",
    ],
    checks: [
      "The digits that arrived against the patterns of the dial plan",
      "The time that the phone waits for another digit, and its own dial plan",
    ],
  },
  485: {
    meaning: "The address fits several users; a person has to choose. Contact may list them.",
    causes: ["Dialling by name found more than one person", "Two accounts share an alias or a number"],
    checks: [
      "Call one of those in Contact by the full address",
      "Aliases that were given twice on the server",
    ],
  },
  486: {
    meaning: "This phone is busy. Another phone of the same user, or voicemail, may still answer.",
    causes: [
      "The callee is on a call and takes no second one",
      "The callee pressed reject or busy",
      "The phone still counts a call that has long ended",
    ],
    checks: [
      "How many calls the phone or trunk may have, and how many it has now",
      "Call waiting and forwarding on busy",
      "Retry-After, if there, says when to try again",
    ],
  },
  487: {
    meaning: "The call attempt ended before an answer. Usually the caller gave up; that is no fault.",
    causes: [
      "The caller hung up while it rang",
      "Another phone of the callee answered",
      "A server's ring time or the INVITE's Expires ran out",
    ],
    checks: [
      "Who sent the CANCEL, and its Reason: cause=200 means answered elsewhere",
      "Always after the same time: look for a ring timer on the way",
    ],
  },
  488: {
    meaning:
      "This device cannot take the media that the request describes. Another one might; a call that is up goes on as before.",
    causes: [
      "No codec in common",
      "One side insists on encryption (SRTP) and the other cannot or must not",
      "No bandwidth or trunk line is free",
      "A switch to fax (T.38) or video was refused",
    ],
    checks: [
      "Warning, which may name the reason",
      "The m= lines of the offer: codecs, RTP/AVP or RTP/SAVP, IPv4 or IPv6",
      "Enable one codec that both have, such as G.711",
    ],
  },
  489: {
    meaning:
      "The kind of event in the Event header is missing or unknown; Allow-Events lists the known ones.",
    causes: [
      "A phone asks for busy lamps or line features that this server does not offer",
      "A mistyped package name",
      "The request has no Event header at all",
    ],
    checks: ["Event against Allow-Events", "Switch the feature off in the phone, or on in the server"],
  },
  491: {
    meaning:
      "Both sides tried to change the call at the same time. The phone waits a random moment and tries again.",
    causes: [
      "Both put the call on hold or refreshed it at once",
      "A server between starts changes of its own",
      "An earlier INVITE was never finished by its ACK",
    ],
    checks: [
      "Once is normal; does the second try succeed within four seconds?",
      "Repeated: do both sides wait differently long, and does every INVITE get its ACK?",
    ],
  },
  493: {
    meaning:
      "The body is encrypted for a key that this device does not have. The response may bring the right certificate.",
    causes: [
      "The recipient's certificate was renewed and the sender has the old one",
      "Another device of the same user holds the key",
      "Something on the way changed the encrypted body",
    ],
    checks: [
      "Serial number of the recipient in the message against the device's certificate",
      "Check a certificate that came with the answer before using it; do not fall back to plain text unasked",
    ],
  },
  494: {
    meaning:
      "The server wants both sides to agree on a security mechanism first; Security-Server lists its own.",
    causes: [
      "An operator's network (IMS) asks for it and the phone sent unprotected",
      "The lists that both sides keep differ: Security-Verify does not match",
    ],
    checks: [
      "Security-Client, Security-Server and Security-Verify, one beside the other",
      "In a cluster: does every node offer the same list?",
      "Twice in a row: stop, somebody may be weakening the list on the way",
    ],
  },
} satisfies Partial<CodeTexts>;
