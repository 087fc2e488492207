// The phone of a rehearsal: it registers, asks what the server can do, and calls itself, again and again, in plain text
// over UDP: from one socket, and at another, as if they were two. It is not made of the stack that it warms up: V8 would
// compile what both use for both.

import { createSocket, type Socket } from "node:dgram";
import { once } from "node:events";
import { computeHa1, digestResponse, hashOf, parseAlgorithm } from "@offhook/sip/auth";
import { nodeHash } from "@offhook/sip/node";

/** How a phone writes what it says. */
export interface Manner {
  /** What stands before an address. */
  readonly displayName: string;
  /** Header field names of one letter where there are such. */
  readonly isTerse: boolean;
  /** Asks for the port that its requests come from (RFC 3581). */
  readonly rport: boolean;
  /** Answers with all Via values on one line. */
  readonly joinsVia: boolean;
  /** Parameters of its Contact. */
  readonly contactParams: string;
  /** More header fields. */
  readonly headers: readonly string[];
}

export interface RehearsalPhoneOptions {
  readonly manner: Manner;
  readonly user: string;
  readonly domain: string;
  readonly password: string;
  /** Port of the server on 127.0.0.1. */
  readonly server: number;
}

/** Rounds under way at the same time: enough that the server's tables have to grow. */
const concurrent = 48;

const sdp = [
  ..."v=0|o=- 53655765 2353687637 IN IP4 127.0.0.1|s=-|c=IN IP4 127.0.0.1|t=0 0".split("|"),
  ..."m=audio 6000 RTP/AVP 0 8 101|a=rtpmap:0 PCMU/8000|a=rtpmap:8 PCMA/8000".split("|"),
  ..."a=rtpmap:101 telephone-event/8000|a=fmtp:101 0-15|a=sendrecv|".split("|"),
].join("\r\n");

const shortNames: Readonly<Record<string, string>> = {
  ...{
    Via: "v",
    From: "f",
    To: "t",
    "Call-ID": "i",
    Contact: "m",
    "Content-Type": "c",
    "Content-Length": "l",
  },
};

export class RehearsalPhone {
  readonly #calling: Socket;
  readonly #called: Socket;
  readonly #options: RehearsalPhoneOptions;
  /** Rounds under way. */
  readonly #open = new Set<number>();
  #begun = 0;
  #ended = 0;
  #played = 0;
  #wanted = 0;
  #done: (() => void) | undefined;

  private constructor(calling: Socket, called: Socket, options: RehearsalPhoneOptions) {
    this.#calling = calling;
    this.#called = called;
    this.#options = options;
    for (const socket of [calling, called]) {
      socket.on("message", (bytes) => this.#receive(bytes.toString("latin1")));
      // Whatever does not arrive ends the rehearsal by its limit.
      socket.on("error", () => {});
    }
  }

  /** @throws {Error} the system's, where no UDP socket can be had on 127.0.0.1 */
  static async open(options: RehearsalPhoneOptions): Promise<RehearsalPhone> {
    const [calling, called] = [createSocket("udp4"), createSocket("udp4")];
    try {
      for (const socket of [calling, called]) {
        socket.connect(options.server, "127.0.0.1");
        await once(socket, "connect");
      }
    } catch (error) {
      calling.close();
      called.close();
      throw error;
    }
    return new RehearsalPhone(calling, called, options);
  }

  /**
   * Plays so many rounds of REGISTER, OPTIONS and a call.
   * @param limit - milliseconds after which it stops
   * @returns how many were whole
   */
  async play(rounds: number, limit: number): Promise<number> {
    const played = this.#played;
    this.#wanted += rounds;
    let timer: NodeJS.Timeout | undefined;
    await new Promise<void>((resolve) => {
      this.#done = resolve;
      timer = setTimeout(resolve, Math.max(0, limit));
      for (let i = 0; i < concurrent; i++) this.#begin();
    });
    clearTimeout(timer);
    return this.#played - played;
  }

  close(): void {
    this.#calling.close();
    this.#called.close();
  }

  #begin(): void {
    if (this.#begun >= this.#wanted) return;
    this.#open.add(this.#begun);
    this.#request("REGISTER", 1, this.#begun++);
  }

  #receive(text: string): void {
    const [, status, method = ""] = /^(?:SIP\/2\.0 (\d+)|([A-Z]+) )/.exec(text) ?? [];
    if (status === undefined) this.#answer(method, text);
    else this.#proceed(Number(status), text);
  }

  /** Requests that the server sends on to us: we are who we call. */
  #answer(method: string, text: string): void {
    if (method === "INVITE") {
      this.#respond("180 Ringing", text);
      this.#respond("200 OK", text, sdp);
    } else if (method !== "ACK") this.#respond("200 OK", text);
  }

  #proceed(status: number, text: string): void {
    if (status < 200) return;
    const [, sequence, method = ""] = /^CSeq *: *(\d+) ([A-Z]+)/im.exec(text) ?? [];
    const next = Number(sequence) + 1;
    const round = Number(/^(?:Call-ID|i) *: *(\d+)/im.exec(text)?.[1]);
    if (method === "INVITE") this.#request("ACK", Number(sequence), round, text);
    if ((status === 401 || status === 407) && next === 2) this.#request(method, next, round, undefined, text);
    else if (status >= 300) this.#end(round, false);
    else if (method === "REGISTER") this.#request("OPTIONS", 1, round);
    else if (method === "OPTIONS") this.#request("INVITE", 1, round);
    else if (method === "INVITE") this.#request("BYE", next, round, text);
    else this.#end(round, true);
  }

  /** Once only: what was sent again is answered again. */
  #end(round: number, isWhole: boolean): void {
    if (!this.#open.delete(round)) return;
    if (isWhole) this.#played++;
    if (++this.#ended === this.#wanted) this.#done?.();
    this.#begin();
  }

  /**
   * @param answered - the response to the INVITE whose ACK or BYE it is
   * @param challenge - the response that asks for a password
   */
  #request(method: string, sequence: number, round: number, answered?: string, challenge?: string): void {
    const { manner, user, domain } = this.#options;
    const own = `sip:${user}@${domain}`;
    const { port } = this.#calling.address();
    const here = `sip:${user}@127.0.0.1:${this.#called.address().port};transport=udp`;
    const routes = answered === undefined ? [] : valuesOf(answered, "Record-Route").reverse();
    const contact =
      answered === undefined ? undefined : valuesOf(answered, "Contact|m")[0]?.match(/<(.*)>/)?.[1];
    const target = contact ?? (method === "INVITE" ? own : `sip:${domain}`);
    const body = method === "INVITE" ? sdp : "";
    this.#send(
      this.#calling,
      `${method} ${target} SIP/2.0`,
      [
        [
          "Via",
          `SIP/2.0/UDP 127.0.0.1:${port};branch=z9hG4bK-${round}-${sequence}-${method}${manner.rport ? ";rport" : ""}`,
        ],
        ...routes.map((route) => ["Route", route] as const),
        ["Max-Forwards", "70"],
        ["From", `${manner.displayName}<${own}>;tag=${round}f`],
        ["To", answered === undefined ? `<${own}>` : (valuesOf(answered, "To|t")[0] ?? "")],
        ["Call-ID", `${round}-${port}@127.0.0.1`],
        ["CSeq", `${sequence} ${method}`],
        ...(challenge === undefined ? [] : [this.#credentials(method, target, challenge)]),
        ...(method === "ACK" || method === "BYE"
          ? []
          : [["Contact", `<${here}>${manner.contactParams}`] as const]),
        ...(method === "REGISTER" ? [["Expires", "600"] as const] : []),
      ],
      body,
    );
  }

  #respond(status: string, request: string, body = ""): void {
    const { manner, user } = this.#options;
    const vias = valuesOf(request, "Via|v");
    const to = valuesOf(request, "To|t")[0] ?? "";
    const here = `sip:${user}@127.0.0.1:${this.#called.address().port};transport=udp`;
    this.#send(
      this.#called,
      `SIP/2.0 ${status}`,
      [
        ...(manner.joinsVia ? [vias.join(", ")] : vias).map((via) => ["Via", via] as const),
        ...valuesOf(request, "Record-Route").map((route) => ["Record-Route", route] as const),
        ["From", valuesOf(request, "From|f")[0] ?? ""],
        ["To", /;tag=/.test(to) ? to : `${to};tag=t`],
        ["Call-ID", valuesOf(request, "Call-ID|i")[0] ?? ""],
        ["CSeq", valuesOf(request, "CSeq")[0] ?? ""],
        ["Contact", `<${here}>`],
      ],
      body,
    );
  }

  #send(
    socket: Socket,
    start: string,
    fields: readonly (readonly [name: string, value: string])[],
    body: string,
  ): void {
    const { isTerse, headers } = this.#options.manner;
    const all = [
      ...fields,
      ...(body === "" ? [] : [["Content-Type", "application/sdp"] as const]),
      ["Content-Length", String(body.length)] as const,
    ];
    const lines = all.map(([name, value]) => `${(isTerse ? shortNames[name] : undefined) ?? name}: ${value}`);
    socket.send(Buffer.from([start, ...lines, ...headers, "", body].join("\r\n"), "latin1"));
  }

  /** RFC 7616 §3.4, for the first challenge. */
  #credentials(method: string, uri: string, challenge: string): readonly [string, string] {
    const { user, password } = this.#options;
    const isProxy = /^Proxy-Authenticate/im.test(challenge);
    const value = valuesOf(challenge, isProxy ? "Proxy-Authenticate" : "WWW-Authenticate")[0] ?? "";
    const param = (name: string) => new RegExp(`\\b${name}="?([^",]*)`, "i").exec(value)?.[1] ?? "";
    const realm = param("realm");
    const nonce = param("nonce");
    const algorithm = parseAlgorithm(param("algorithm") || undefined) ?? "MD5";
    const ha1 = computeHa1(nodeHash, hashOf(algorithm), { user, realm, password });
    const counted = { nonceCount: "00000001", cnonce: "rehearsal" };
    const response = digestResponse(nodeHash, {
      algorithm,
      ha1,
      method,
      uri,
      nonce,
      qop: "auth",
      ...counted,
    });
    return [
      isProxy ? "Proxy-Authorization" : "Authorization",
      `Digest username="${user}",realm="${realm}",nonce="${nonce}",uri="${uri}",response="${response}",algorithm=${algorithm},cnonce="${counted.cnonce}",qop=auth,nc=${counted.nonceCount}`,
    ];
  }
}

/** The values of a header field, one for each line. */
function valuesOf(text: string, name: string): string[] {
  return Array.from(text.matchAll(new RegExp(`^(?:${name}) *: *(.*)\r$`, "gim")), ([, value = ""]) => value);
}
