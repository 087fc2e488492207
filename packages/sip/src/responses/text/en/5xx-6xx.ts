// English: 500 to 608. Servers that fail, and answers that speak for every device of the callee.
import type { CodeTexts } from "../code-text.ts";

export const serverAndGlobalFailure = {
  500: {
    meaning:
      "Something unexpected went wrong in the server. It may work later, after Retry-After if that is there.",
    causes: [
      "A fault in the server's program, script or database",
      "Every server behind a proxy was overloaded: it turns 503 into 500",
      "Requests of one call overtook each other, so that CSeq went backwards or two changes met",
    ],
    checks: [
      "The log of the server that sent it, by Call-ID",
      "Inside a call: the order of CSeq numbers, and what was still unanswered",
      "With Retry-After of ten seconds or less: only a collision, the phone tries again",
    ],
  },
  501: {
    meaning: "The server does not know this method at all. One that it knows but does not take would be 405.",
    causes: ["PUBLISH, MESSAGE or REFER went to a simple gateway", "A script made up or misspelt the method"],
    checks: [
      "The method in the first line of the request",
      "Allow, or an OPTIONS, for what the device can do",
    ],
  },
  502: {
    meaning: "A server on the way got an answer from further on that it cannot use.",
    causes: [
      "The carrier or phone behind it answers with broken messages",
      "The route leads to a port where something else listens",
      "The gateway found the far end out of order",
      "A security agreement was tried across another proxy",
    ],
    checks: [
      "The trace between the server that sent it and its next hop",
      "Address, port and transport of that route",
    ],
  },
  503: {
    meaning:
      "This server is overloaded or in maintenance; another one may serve the request. A connection that cannot be made counts as 503 too.",
    causes: [
      "Too much load, or maintenance",
      "All lines or licences of a trunk are in use",
      "The next hop is dead or refuses connections",
    ],
    checks: [
      "Was it received, or made locally because no connection came about?",
      "Retry-After: until then nothing should be sent to that server",
      "Is there a second server in DNS (SRV), and was it tried?",
    ],
  },
  504: {
    meaning: "Another system that the server needs, such as a database or directory, did not answer in time.",
    causes: [
      "LDAP, RADIUS, ENUM, the database or a routing service is slow or down",
      "A firewall blocks the way from the server to it",
      "In a call: an UPDATE would have needed the user's consent",
    ],
    checks: [
      "Response times of the systems behind the server",
      "The server's own time limit for them",
      "For a change in a call: use a re-INVITE, which may wait for the user",
    ],
  },
  505: {
    meaning:
      "The first line of the request names a SIP version that the server does not speak; only SIP/2.0 is in use.",
    causes: [
      "A scanner or a test tool sends nonsense",
      "A wrong Content-Length on TCP: the server takes the rest of a body for a new request",
    ],
    checks: [
      "The bytes before it on the same connection, above all Content-Length",
      "The source address: is it one of ours?",
    ],
  },
  513: {
    meaning: "The whole message, headers included, is larger than the server takes.",
    causes: [
      "A huge session description with many candidates",
      "Headers that grow with every hop: Record-Route, History-Info, Identity",
      "A large attachment",
    ],
    checks: [
      "Size of the message hop by hop, and which part of it is large",
      "Leave out optional headers and codecs; changing from UDP to TCP alone does not help",
    ],
  },
  555: {
    meaning:
      "The network does not support the push service that the registration names, so the app would not be woken.",
    causes: [
      "The operator has no credentials for this app's push service",
      "The value of pn-provider is misspelt",
      "The registration did not pass the proxy that sends pushes",
    ],
    checks: [
      "pn-provider in Contact against the list of the push proxy",
      "Path and outbound proxy of the app",
      "Register without push parameters: calls then arrive only while the app runs",
    ],
  },
  580: {
    meaning: "A condition that the offer calls mandatory, such as reserved bandwidth, cannot be met.",
    causes: [
      "The mobile network could not set up the bearer for the call",
      "Conditions are demanded of a device outside such a network",
    ],
    checks: [
      "The a=des lines of the offer: is mandatory needed, or would optional do?",
      "The logs of the resource reservation (policy server, radio network)",
    ],
  },
  600: {
    meaning: "Every device of the callee is busy and nobody else will answer; trying elsewhere is pointless.",
    causes: [
      "The callee's only device is on a call",
      "All phones of a group reported busy and there is no voicemail",
      "One phone is set to answer for all others",
    ],
    checks: [
      "Which branch sent it: one phone with 600 stops the whole group, 486 would not",
      "Voicemail or forwarding on busy for this user",
      "Retry-After, if given, for the moment to call again",
    ],
  },
  603: {
    meaning: "The callee does not want or cannot take the call, and no other destination is to be tried.",
    causes: [
      "The callee pressed decline",
      "A rule of the phone or server declines this caller",
      "A call that was to be picked up or joined had just ended",
      "Some carriers answer like that when they block a call as suspicious",
    ],
    checks: [
      "Reason phrase and Reason: a person, a rule or a network?",
      "Should other phones go on ringing? Then the phone must answer 486 or 480 instead",
      "Retry-After, where the callee names a better time",
    ],
  },
  604: {
    meaning: "It is known with authority that this user exists nowhere, not only not in one domain.",
    causes: [
      "The number was never given out, or was withdrawn",
      "A server claims to know all numbers although it knows only its own; 404 would be right",
    ],
    checks: [
      "The number itself, with country code",
      "Which server sent it: a 604 keeps the call from being tried on other routes",
    ],
  },
  606: {
    meaning: "The user was reached, but no device of theirs can take the media that the request describes.",
    causes: [
      "No common codec, encryption or transport with the user's only device",
      "A device answers for all others, where 488 would leave them a chance",
    ],
    checks: [
      "Warning and the session description of both sides",
      "If it comes from a gateway: does it keep the call from a second gateway?",
    ],
  },
  607: {
    meaning: "The callee does not want calls from this caller; later ones will probably be refused too.",
    causes: ["The callee marked the call as unwanted or spam", "The button was pressed by mistake"],
    checks: [
      "Do not call again automatically; take the callee off the dialling list",
      "The callee's own block list, if it was a mistake",
    ],
  },
  608: {
    meaning:
      "A service on the callee's side, not the callee, blocked the call. Call-Info may say whom to turn to.",
    causes: [
      "An analysis service takes the number for spam",
      "The call was not signed, or only weakly, so that the number could not be trusted",
    ],
    checks: [
      "The contact in the signed document that Call-Info points to, after checking its signature",
      "How the caller's calls are signed (STIR), and how the number is listed with such services",
    ],
  },
} satisfies Partial<CodeTexts>;
