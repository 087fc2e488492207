// For the tests of DNS: a name server in this process, over UDP and TCP on one port of 127.0.0.1.

import { createSocket, type Socket as UdpSocket } from "node:dgram";
import { once } from "node:events";
import { createServer, type Server, type Socket } from "node:net";
import packets, { type Answer, type Packet } from "dns-packet";

/** What is answered: records, a response code, or how it goes wrong. */
export type Reply =
  | readonly Answer[]
  | "NXDOMAIN"
  | "SERVFAIL"
  | "REFUSED"
  | "silence"
  | "garbage"
  /** Points to other servers, as one that does not know the zone does. */
  | "referral"
  /** The first half of the records, and the mark that there are more: all of them over TCP. */
  | { readonly truncated: readonly Answer[] };

/** "SRV _sip._udp.b.example" → what comes; everything else does not exist. */
export type Zone = Record<string, Reply>;

const codes = { NXDOMAIN: 3, SERVFAIL: 2, REFUSED: 5 };

export class NameServer {
  /** Questions as they came: "A b.example", over TCP "tcp A b.example". */
  readonly asked: string[] = [];
  zone: Zone;
  readonly #udp: UdpSocket;
  readonly #tcp: Server;
  readonly #connections = new Set<Socket>();

  private constructor(zone: Zone, udp: UdpSocket, tcp: Server) {
    this.zone = zone;
    this.#udp = udp;
    this.#tcp = tcp;
    udp.on("message", (bytes, from) => {
      const reply = this.#reply(bytes, false);
      if (reply) udp.send(reply, from.port, from.address);
    });
    tcp.on("connection", (socket) => this.#serve(socket));
  }

  /** A port that is free for both: the system picks one for TCP, and another try if UDP has it taken. */
  static async open(zone: Zone): Promise<NameServer> {
    for (;;) {
      const tcp = createServer();
      tcp.listen(0, "127.0.0.1");
      await once(tcp, "listening");
      const { port } = tcp.address() as { port: number };
      const udp = createSocket("udp4");
      try {
        udp.bind(port, "127.0.0.1");
        await once(udp, "listening");
        return new NameServer(zone, udp, tcp);
      } catch {
        udp.close();
        tcp.close();
      }
    }
  }

  /** As `dnsResolver` takes it. */
  get address(): string {
    return `127.0.0.1:${this.#udp.address().port}`;
  }

  /** What was asked since the last call, sorted. */
  take(): string {
    return this.asked.splice(0).sort().join(", ");
  }

  async close(): Promise<void> {
    for (const socket of this.#connections) socket.destroy();
    await Promise.all([
      new Promise<void>((resolve) => this.#udp.close(() => resolve())),
      new Promise<void>((resolve) => this.#tcp.close(() => resolve())),
    ]);
  }

  #serve(socket: Socket): void {
    this.#connections.add(socket);
    let waiting = Buffer.alloc(0);
    socket.on("error", () => {});
    socket.on("close", () => this.#connections.delete(socket));
    socket.on("data", (chunk) => {
      waiting = Buffer.concat([waiting, chunk as Buffer]);
      while (waiting.length >= 2 && waiting.length >= 2 + waiting.readUInt16BE(0)) {
        const end = 2 + waiting.readUInt16BE(0);
        const reply = this.#reply(waiting.subarray(2, end), true);
        waiting = waiting.subarray(end);
        if (!reply) continue;
        const length = Buffer.alloc(2);
        length.writeUInt16BE(reply.length);
        socket.write(Buffer.concat([length, reply]));
      }
    });
  }

  #reply(bytes: Buffer, overTcp: boolean): Buffer | undefined {
    const query = packets.decode(bytes);
    const [question] = query.questions ?? [];
    if (!question) return undefined;
    const key = `${question.type} ${question.name.toLowerCase()}`;
    this.asked.push(overTcp ? `tcp ${key}` : key);
    const reply = this.zone[key] ?? "NXDOMAIN";
    const answer = (rest: Partial<Packet>, flags = packets.RECURSION_AVAILABLE) =>
      packets.encode({
        type: "response",
        id: query.id ?? 0,
        flags: flags | packets.RECURSION_DESIRED,
        questions: [question],
        ...rest,
      });
    switch (reply) {
      case "silence":
        return undefined;
      case "garbage":
        return Buffer.concat([bytes.subarray(0, 2), Buffer.from("8180ffffffffffff0badc0de", "hex")]);
      case "referral":
        return answer(
          { authorities: [{ type: "NS", name: question.name, data: "elsewhere.example", ttl: 60 }] },
          0,
        );
      case "NXDOMAIN":
      case "SERVFAIL":
      case "REFUSED":
        return answer({}, packets.RECURSION_AVAILABLE | codes[reply]);
    }
    if (!("truncated" in reply)) return answer({ answers: [...reply] });
    const all = [...reply.truncated];
    if (overTcp) return answer({ answers: all });
    const flags = packets.RECURSION_AVAILABLE | packets.TRUNCATED_RESPONSE;
    return answer({ answers: all.slice(0, all.length >> 1) }, flags);
  }
}

export function a(name: string, data: string, ttl = 300): Answer {
  return { type: "A", name, data, ttl };
}

export function aaaa(name: string, data: string, ttl = 300): Answer {
  return { type: "AAAA", name, data, ttl };
}

export function cname(name: string, data: string, ttl = 300): Answer {
  return { type: "CNAME", name, data, ttl };
}

/** `text` as in a zone file: priority, weight, port, target. */
export function srv(name: string, text: string): Answer {
  const [priority, weight, port, target = ""] = text.split(" ");
  const data = { priority: Number(priority), weight: Number(weight), port: Number(port), target };
  return { type: "SRV", name, data, ttl: 300 };
}

/** `text` as in a zone file: order, preference, flags, services, replacement; no expression. */
export function naptr(name: string, text: string): Answer {
  const [order, preference, flags = "", services = "", replacement = ""] = text.split(" ");
  const data = {
    order: Number(order),
    preference: Number(preference),
    flags,
    services,
    regexp: "",
    replacement,
  };
  return { type: "NAPTR", name, data, ttl: 300 };
}
