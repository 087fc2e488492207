// tshark as witness: captures what is on the wire, counts RTP, and finds fault with what we sent.
import { execFile } from "node:child_process";
import { createSocket } from "node:dgram";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { promisify } from "node:util";
import { findProgram, Program, until } from "./program.ts";

const run = promisify(execFile);

export interface RtpStream {
  from: string;
  to: string;
  packets: number;
}

export class Capture {
  readonly file: string;
  readonly folder: string;
  readonly program: Program;
  readonly ports: number[] = [];

  private constructor(program: Program, folder: string, file: string) {
    this.program = program;
    this.folder = folder;
    this.file = file;
  }

  /** Captures everything on the loopback interface until `stop`. */
  static async start(): Promise<Capture> {
    const folder = await mkdtemp(join(tmpdir(), "capture-"));
    const file = join(folder, "run.pcapng");
    const program = new Program("tshark", ["-i", "lo", "-w", file, "-B", "32"], { name: "tshark" });
    const capture = new Capture(program, folder, file);
    await program.says(/Capture started/, 20_000);
    await capture.#marker("begin");
    return capture;
  }

  /** Sends a datagram to the discard port until it stands in the file: what was sent before stands there too. */
  async #marker(name: string): Promise<void> {
    const text = `offhook-${basename(this.folder)}-${name}`;
    const socket = createSocket("udp4");
    socket.on("error", () => {});
    try {
      await until(
        `the capture to hold its ${name}`,
        async () => {
          socket.send(text, 9, "127.0.0.1");
          return (await readFile(this.file).catch(() => Buffer.alloc(0))).includes(text);
        },
        20_000,
      );
    } finally {
      socket.close();
    }
  }

  /** Ends the capture once it holds what was sent before this call. */
  async stop(): Promise<void> {
    if (this.program.exitCode === undefined) await this.#marker("end");
    await this.program.stop("SIGINT", 10_000);
  }

  async read(...args: string[]): Promise<string> {
    const decode = this.ports.flatMap((port) => [
      "-d",
      `udp.port==${port},sip`,
      "-d",
      `tcp.port==${port},sip`,
    ]);
    const { stdout } = await run(findProgram("tshark") ?? "tshark", ["-r", this.file, ...decode, ...args], {
      maxBuffer: 64 << 20,
    });
    return stdout;
  }

  /** SIP messages that were sent from one of our ports, and among them those that tshark objects to. */
  async sentFrom(port: number): Promise<{ messages: number; faults: string }> {
    if (!this.ports.includes(port)) this.ports.push(port);
    const ours = `sip && (udp.srcport == ${port} || tcp.srcport == ${port})`;
    const lines = await this.read("-Y", ours, "-T", "fields", "-e", "frame.number");
    const faults = await this.read(
      "-Y",
      `(udp.srcport == ${port} || tcp.srcport == ${port}) && (_ws.malformed || _ws.expert.severity == error) && !icmp`,
      "-V",
    );
    return { messages: lines.split("\n").filter(Boolean).length, faults };
  }

  /** The RTP streams seen to and from the ports that session descriptions named, most packets first. */
  async rtpStreams(): Promise<RtpStream[]> {
    const named = await this.read("-Y", "sdp", "-T", "fields", "-e", "sdp.media.port");
    // Said outright: a STUN packet between the same ports (linphone sends one) would keep tshark from seeing RTP.
    const mediaPorts = new Set(named.split(/[\n,]/).filter((port) => Number(port) > 0));
    const decode = [...mediaPorts].flatMap((port) => ["-d", `udp.port==${port},rtp`]);
    const fields = ["ip.src", "udp.srcport", "ip.dst", "udp.dstport", "rtp.ssrc"].flatMap((name) => [
      "-e",
      name,
    ]);
    const lines = await this.read(...decode, "-Y", "rtp && !icmp", "-T", "fields", ...fields);
    const streams = new Map<string, RtpStream>();
    for (const line of lines.split("\n").filter(Boolean)) {
      const [source, sourcePort, destination, destinationPort] = line.split("\t");
      const stream = streams.get(line) ?? {
        from: `${source}:${sourcePort}`,
        to: `${destination}:${destinationPort}`,
        packets: 0,
      };
      stream.packets++;
      streams.set(line, stream);
    }
    return [...streams.values()].sort((a, b) => b.packets - a.packets);
  }

  /** Waits until some pair of RTP streams has carried `packets` in each of its two directions. */
  async rtpBothWays(packets: number, limit = 20_000): Promise<void> {
    let seen: RtpStream[] = [];
    await until(
      `${packets} RTP packets in each direction`,
      async () => {
        seen = (await this.rtpStreams().catch(() => [])).filter((stream) => stream.packets >= packets);
        return seen.some((one) => seen.some((other) => one.from === other.to && one.to === other.from));
      },
      limit,
    ).catch((error) => {
      throw new Error(`${error.message}; seen: ${JSON.stringify(seen)}`);
    });
  }

  async close(): Promise<void> {
    await this.stop();
    await rm(this.folder, { recursive: true, force: true });
  }
}
