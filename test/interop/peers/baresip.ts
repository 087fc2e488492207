// baresip as a phone under test control: a configuration folder of its own, driven over its ctrl_tcp module.
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { connect, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { freePort } from "../../free-port.ts";
import { Program, until } from "./program.ts";
import { writeTone } from "./tone.ts";

export interface PhoneOptions {
  /** Address-of-record, e.g. "sip:alice@10.99.0.1:5060". */
  aor: string;
  password: string;
  transport?: "udp" | "tcp" | "tls";
  /** TLS: file of the authority that the phone trusts (baresip 1.0 reads it and checks nothing). */
  ca?: string;
  /** Encrypted media as browsers speak it: DTLS-SRTP over ICE, with RTP and RTCP on one port. */
  webRtc?: boolean;
  /** Seconds between registrations, baresip only. Default: 60. */
  expires?: number;
  /** The phone's own address. */
  host: string;
  /** The server as a URI without scheme, e.g. "10.99.0.1:5060". */
  server: string;
}

interface BaresipEvent {
  type: string;
  param?: string;
  peeruri?: string;
  [key: string]: unknown;
}

export class Baresip {
  readonly events: BaresipEvent[] = [];
  readonly program: Program;
  readonly folder: string;
  #socket: Socket | undefined;
  #replies = new Map<string, (data: { ok: boolean; data?: string }) => void>();
  #token = 0;

  private constructor(program: Program, folder: string) {
    this.program = program;
    this.folder = folder;
  }

  /** Starts baresip with one account; it registers by itself. */
  static async start(options: PhoneOptions): Promise<Baresip> {
    const folder = await mkdtemp(join(tmpdir(), "baresip-"));
    const control = await freePort("127.0.0.1");
    const port = await freePort(options.host);
    await mkdir(folder, { recursive: true });
    const tone = join(folder, "tone.wav");
    await writeTone(tone, { seconds: 120, frequency: 440 });
    const transport = options.transport ?? "udp";
    await writeFile(
      join(folder, "config"),
      [
        "poll_method epoll",
        `sip_listen ${options.host}:${port}`,
        "call_max_calls 4",
        ...(options.ca === undefined ? [] : [`sip_cafile ${options.ca}`]),
        `audio_source aufile,${tone}`,
        "audio_player aubridge,nil",
        "audio_alert aubridge,nil",
        "net_interface lo",
        "module_path /usr/lib/baresip/modules",
        "module g711.so",
        "module aufile.so",
        "module aubridge.so",
        ...(options.webRtc === true
          ? ["rtcp_mux yes", "module srtp.so", "module dtls_srtp.so", "module ice.so"]
          : []),
        "module_tmp uuid.so",
        "module_tmp account.so",
        "module_app contact.so",
        "module_app menu.so",
        "module_app ctrl_tcp.so",
        `ctrl_tcp_listen 127.0.0.1:${control}`,
        "",
      ].join("\n"),
    );
    const user = options.aor.replace(/^sip:/, "");
    const media = options.webRtc === true ? ";mediaenc=dtls_srtp;medianat=ice" : "";
    await writeFile(
      join(folder, "accounts"),
      `<sip:${user};transport=${transport}>;auth_pass=${options.password};outbound="sip:${options.server};transport=${transport}";regint=${options.expires ?? 60};answermode=manual;audio_codecs=PCMU/8000/1,PCMA/8000/1${media}\n`,
    );
    await writeFile(join(folder, "contacts"), "");
    const program = new Program("baresip", ["-f", folder, "-v"], { name: `baresip ${user}` });
    const phone = new Baresip(program, folder);
    await program.says(/baresip is ready/);
    await phone.#connect(control);
    return phone;
  }

  async #connect(port: number): Promise<void> {
    const socket = await until("baresip's control port", async () => {
      const attempt = connect(port, "127.0.0.1");
      return new Promise<Socket | undefined>((resolve) => {
        attempt.once("connect", () => resolve(attempt));
        attempt.once("error", () => resolve(undefined));
      });
    });
    this.#socket = socket;
    let pending = Buffer.alloc(0);
    socket.on("error", () => {});
    socket.on("data", (chunk: Buffer) => {
      pending = Buffer.concat([pending, chunk]);
      // Netstrings: "length:bytes,".
      for (;;) {
        const colon = pending.indexOf(0x3a);
        if (colon < 0) return;
        const length = Number(pending.subarray(0, colon).toString());
        if (pending.length < colon + 1 + length + 1) return;
        const message = JSON.parse(pending.subarray(colon + 1, colon + 1 + length).toString("utf8"));
        pending = pending.subarray(colon + 1 + length + 1);
        if (message.event) this.events.push(message);
        else this.#replies.get(String(message.token))?.(message);
      }
    });
  }

  /** One of baresip's menu commands, e.g. `dial sip:bob@host`, `accept`, `hangup`. Its text answer. */
  async command(command: string, params = ""): Promise<string> {
    const token = String(++this.#token);
    const text = JSON.stringify({ command, params, token });
    const reply = new Promise<{ ok: boolean; data?: string }>((resolve) => this.#replies.set(token, resolve));
    this.#socket?.write(`${Buffer.byteLength(text)}:${text},`);
    let timer: NodeJS.Timeout | undefined;
    const limit = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(new Error(`baresip did not answer ${command}`)), 20_000);
    });
    const { data } = await Promise.race([reply, limit]).finally(() => clearTimeout(timer));
    return data ?? "";
  }

  /** Waits for an event of this type that came after `since` (an index into `events`). */
  event(type: string, since = 0, limit = 10_000): Promise<BaresipEvent> {
    return until(
      `${this.program.name} to report ${type}`,
      () => this.events.slice(since).find((event) => event.type === type),
      limit,
    ).catch((error) => {
      throw new Error(
        `${error.message}; it reported ${this.events.map((e) => e.type).join(" ")}\n${this.program.output.slice(-3000)}`,
      );
    });
  }

  /** Waits until the registrar has accepted; baresip prints that even when it came before the control port was open. */
  async registered(): Promise<void> {
    await this.program.says(/200 OK.*\[\d+ bindings?\]/);
  }

  async close(): Promise<void> {
    this.#socket?.destroy();
    await this.program.stop();
    await rm(this.folder, { recursive: true, force: true });
  }
}
