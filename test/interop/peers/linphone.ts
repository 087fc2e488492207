// linphone-daemon as a phone under test control, over its Unix socket.
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { connect, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { freePort } from "../../free-port.ts";
import type { PhoneOptions } from "./baresip.ts";
import { Program, until } from "./program.ts";
import { writeTone } from "./tone.ts";

let counter = 0;

export class Linphone {
  readonly program: Program;
  readonly folder: string;
  readonly #socket: Socket;
  #answer = "";
  #lastCall = 0;

  private constructor(program: Program, folder: string, socket: Socket) {
    this.program = program;
    this.folder = folder;
    this.#socket = socket;
    socket.on("error", () => {});
    socket.on("data", (chunk) => {
      this.#answer += chunk.toString("utf8");
    });
  }

  /** Starts the daemon and registers one account. */
  static async start(options: PhoneOptions): Promise<Linphone> {
    const folder = await mkdtemp(join(tmpdir(), "linphone-"));
    const transport = options.transport ?? "udp";
    const port = await freePort(options.host);
    // Its mbedTLS knows no addresses in certificates: the chain is checked, the name is not.
    const trust =
      options.ca === undefined ? "" : `root_ca=${options.ca}\nverify_server_certs=1\nverify_server_cn=0\n`;
    await writeFile(
      join(folder, "linphonerc"),
      `[sip]\nuse_ipv6=0\nregister_only_when_network_is_up=0\n${trust}`,
    );
    await mkdir(join(folder, ".local/share/linphone"), { recursive: true });
    const pipe = `offhook_${process.pid}_${++counter}_lpd`;
    const program = new Program("linphone-daemon", ["--config", join(folder, "linphonerc"), "--pipe", pipe], {
      env: { HOME: folder },
      name: `linphone ${options.aor}`,
    });
    const socket = await until("linphone's socket", async () => {
      const attempt = connect(`/tmp/${pipe}`);
      return new Promise<Socket | undefined>((resolve) => {
        attempt.once("connect", () => resolve(attempt));
        attempt.once("error", () => resolve(undefined));
      });
    });
    const phone = new Linphone(program, folder, socket);
    await phone.command("ipv6 disable");
    await phone.command(`port sip ${port} ${transport}`);
    await phone.command(`port audio ${await freePort(options.host)}`);
    await phone.command("audio-codec-disable ALL");
    await phone.command("audio-codec-enable 0");
    await phone.command("audio-codec-enable 8");
    await phone.command(
      `register ${options.aor} <sip:${options.server};transport=${transport}> ${options.password}`,
    );
    return phone;
  }

  /** One daemon command; the text after "Status: Ok". An error status is thrown. */
  async command(command: string): Promise<string> {
    this.#answer = "";
    this.#socket.write(`${command}\n`);
    const answer = await until(`linphone to answer ${command}`, () =>
      /^Status: (Ok|Error)[\s\S]*\n/.test(this.#answer) ? this.#answer : undefined,
    );
    if (answer.startsWith("Status: Error"))
      throw new Error(`linphone: ${command}: ${answer.slice(13).trim()}`);
    return answer.slice("Status: Ok".length).trim();
  }

  registered(): Promise<string> {
    return until(`${this.program.name} to register`, async () => {
      const status = await this.command("register-status ALL");
      return /State: LinphoneRegistrationOk/.test(status) ? status : undefined;
    });
  }

  /** Waits until a call (the current one without an id) is in the state, e.g. LinphoneCallIncomingReceived. */
  async callIs(state: string, id = "", limit = 10_000): Promise<string> {
    let last = "";
    return until(
      `${this.program.name} to have a call in ${state}`,
      async () => {
        last = await this.command(`call-status ${id}`.trim()).catch((error: Error) => error.message);
        return last.includes(`State: ${state}\n`) || last.endsWith(`State: ${state}`) ? last : undefined;
      },
      limit,
    ).catch((error) => {
      throw new Error(`${error.message}; its last status: ${last}`);
    });
  }

  /** Starts a call; its id. */
  async call(uri: string): Promise<string> {
    return (await this.command(`call ${uri}`)).match(/Id: (\d+)/)?.[1] ?? "";
  }

  /** The newest call; linphone numbers them from 1, incoming and outgoing alike. */
  async currentCall(): Promise<{ id: string }> {
    for (let id = this.#lastCall + 1; ; id++) {
      const known = await this.command(`call-status ${id}`).then(
        () => true,
        () => false,
      );
      if (!known) return { id: String(this.#lastCall) };
      this.#lastCall = id;
    }
  }

  /** True while there is a call of that id. */
  hasCall(id: string): Promise<boolean> {
    return this.command(`call-status ${id}`).then(
      (status) => !/State: LinphoneCall(End|Error|Released)/.test(status),
      () => false,
    );
  }

  /** Plays a WAV into the call instead of the microphone that no test machine has. */
  async play(id: string): Promise<void> {
    const tone = join(this.folder, "tone.wav");
    await writeTone(tone, { seconds: 120, frequency: 700 });
    await this.command(`incall-player-start ${tone} ${id}`);
  }

  /** Waits until there is no current call. */
  async idle(limit = 10_000): Promise<void> {
    await until(
      `${this.program.name} to have no call`,
      () =>
        this.command("call-status").then(
          () => false,
          (error: Error) => /No current call/.test(error.message),
        ),
      limit,
    );
  }

  async close(): Promise<void> {
    this.#socket.destroy();
    await this.program.stop();
    await rm(this.folder, { recursive: true, force: true });
  }
}
