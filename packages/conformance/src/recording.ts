// Everything that went over the wire of one play, and the ladder that is drawn from it.

import type { Ladder, LadderMessage } from "@offhook/server";
import { readText, type WireText } from "@offhook/sip/testing";
import type { Endpoint, TransportName } from "@offhook/sip/transport";

/** One message that was sent. */
export interface Recorded extends WireText {
  /** Milliseconds since the play began, by the stage's clock. */
  readonly at: number;
  /** The part that sent it, by its name on the stage. */
  readonly sender: string;
  /** Where it went. */
  readonly to: Endpoint;
  readonly transport: TransportName;
  /** The same bytes went the same way before. */
  readonly isCopy: boolean;
  /** The virtual network lost it. */
  readonly isLost: boolean;
}

/** One arrow of a recorded ladder. */
export interface TourMessage extends LadderMessage {
  readonly isLost?: true;
}

/** A recorded play as JSON: what the command prints and the web page draws. */
export interface TourLadder extends Ladder {
  readonly messages: readonly TourMessage[];
}

export class Recording {
  readonly messages: Recorded[] = [];
  readonly #seen = new Set<string>();
  readonly #places = new Map<string, string>();
  readonly #start: number;

  constructor(start: number) {
    this.#start = start;
  }

  /** From now on, and in what was recorded already, this address and port is that part. */
  place(at: Endpoint, name: string): void {
    this.#places.set(keyOf(at), name);
  }

  /** As `place`, for all ports of an address. */
  placeAddress(address: string, name: string): void {
    this.#places.set(address, name);
  }

  /** The part at an address and port; the address itself if nobody of the stage is there. */
  nameOf(at: Endpoint): string {
    return this.#places.get(keyOf(at)) ?? this.#places.get(at.address) ?? keyOf(at);
  }

  add(entry: {
    at: number;
    sender: string;
    from: Endpoint;
    to: Endpoint;
    transport: TransportName;
    bytes: Uint8Array;
    isLost: boolean;
  }): void {
    const { bytes, from, at, ...rest } = entry;
    const text = readText(bytes, from);
    const key = `${entry.sender} ${keyOf(entry.to)} ${text.text}`;
    this.messages.push({ ...text, ...rest, at: at - this.#start, isCopy: this.#seen.has(key) });
    this.#seen.add(key);
  }

  ladder(title: string): TourLadder {
    const messages = this.messages
      .filter(({ text }) => text.trim() !== "")
      .map(
        (message): TourMessage => ({
          at: message.at,
          from: message.sender,
          to: this.nameOf(message.to),
          transport: message.transport,
          summary: summaryOf(message.startLine),
          cSeq: fieldOf(message, "CSeq") ?? "",
          isRetransmission: message.isCopy,
          text: message.text,
          ...(message.isLost && { isLost: true as const }),
        }),
      );
    // In the order in which they take part; that phones register first does not put them before the caller.
    const story = messages.filter(({ cSeq }) => !cSeq.endsWith(" REGISTER"));
    const participants = new Set([...story, ...messages].flatMap(({ from, to }) => [from, to]));
    return { callId: title, participants: [...participants], messages, omitted: 0 };
  }
}

/** The first value of a header field as it stands, by its long name; the compact forms of RFC 3261 §7.3.3 too. */
export function fieldOf(message: WireText, name: string): string | undefined {
  const wanted = name.toLowerCase();
  const short = compact[wanted];
  for (const line of message.fields) {
    const colon = line.indexOf(":");
    const field = line.slice(0, colon).trim().toLowerCase();
    if (field === wanted || field === short) return line.slice(colon + 1).trim();
  }
  return undefined;
}

const compact: Record<string, string> = {
  "call-id": "i",
  contact: "m",
  "content-encoding": "e",
  "content-length": "l",
  "content-type": "c",
  from: "f",
  subject: "s",
  supported: "k",
  to: "t",
  via: "v",
};

function summaryOf(startLine: string): string {
  return startLine.startsWith("SIP/2.0 ") ? startLine.slice(8) : startLine.replace(/ SIP\/2\.0$/, "");
}

function keyOf({ address, port }: Endpoint): string {
  return address.includes(":") ? `[${address}]:${port}` : `${address}:${port}`;
}
