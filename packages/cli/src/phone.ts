// The test phone that call, answer, register and options share: identity, sockets, sound, and what it prints.

import { readFileSync, writeFileSync } from "node:fs";
import { redact } from "@offhook/server/trace";
import { explain, Rejected, TransportError } from "@offhook/sip";
import type { AutomaticRetry } from "@offhook/sip/core";
import { type AudioSource, parseWav, printWav, recordingSource, toneSource } from "@offhook/sip/media";
import { isSipUri, parseNameAddr, parseUri, type SipUri } from "@offhook/sip/message";
import { audio, tcp, udp } from "@offhook/sip/node";
import { type Codec, pcma, pcmu, telephoneEvent } from "@offhook/sip/sdp";
import type { StackObserver } from "@offhook/sip/stack";
import { UserAgent, type UserAgentOptions } from "@offhook/sip/user-agent";
import { type Command, InvalidArgumentError, Option } from "commander";
import { CliError } from "./cli-error.ts";
import { readPassword } from "./prompt.ts";
import { clean } from "./text-table.ts";

/** What every phone command takes; `addPhoneOptions` declares it. */
export interface PhoneOptions {
  readonly password?: string;
  readonly user?: string;
  readonly proxy?: string;
  readonly transport?: "udp" | "tcp";
  readonly address?: string;
  readonly port?: number;
  readonly trace?: boolean;
  readonly json?: boolean;
}

/** What the commands with sound take besides. */
export interface SoundOptions {
  readonly tone: number;
  readonly level: number;
  readonly play?: string;
  readonly record?: string;
  readonly duration?: number;
  readonly codecs?: readonly Codec[];
}

export function addPhoneOptions(command: Command): Command {
  return command
    .option(
      "-p, --password <password>",
      "visible in process listings; OFFHOOK_PASSWORD, or the question, is not",
    )
    .option("-u, --user <name>", "user name for the password; default: that of the address")
    .option("--proxy <uri>", "send everything there first, e.g. sip:192.0.2.1")
    .addOption(
      new Option("-t, --transport <name>", "instead of UDP, with TCP for large requests").choices([
        "udp",
        "tcp",
      ]),
    )
    .option("--address <ip>", "address of this machine to use; default: the one that leads there")
    .option("--port <number>", "port to listen on; default: any", wholeNumber(1, 65535))
    .option("--trace", "print every message on standard error, secrets left out")
    .option("--json", "print the outcome as JSON");
}

export function addSoundOptions(command: Command): Command {
  return command
    .option("--tone <Hz>", "tone to send", wholeNumber(20, 3900), 440)
    .option("--level <dBov>", "its level", wholeNumber(-90, 0), -18)
    .option("--play <file.wav>", "send this instead: 16 bit, one channel, 8000 samples a second")
    .option("--record <file.wav>", "write what arrives there")
    .option("-d, --duration <seconds>", "hang up after that time", seconds)
    .addOption(
      new Option("--codecs <names>", "in order of preference: pcmu,pcma")
        .argParser(codecs)
        .default(undefined),
    );
}

function codecs(text: string): readonly Codec[] {
  const known: Readonly<Record<string, Codec>> = { pcmu, pcma };
  const chosen = text.split(",").map((name) => {
    const codec = known[name.trim().toLowerCase()];
    if (codec === undefined) throw new InvalidArgumentError("The codecs are pcmu and pcma.");
    return codec;
  });
  return [...chosen, telephoneEvent];
}

export function wholeNumber(least: number, most: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (!Number.isInteger(value) || value < least || value > most) {
      throw new InvalidArgumentError(`It must be a whole number from ${least} to ${most}.`);
    }
    return value;
  };
}

export function seconds(text: string): number {
  if (text === "0") return 0;
  const value = Number(text);
  if (!(value > 0 && value <= 86_400)) throw new InvalidArgumentError("It must be a number of seconds.");
  return value;
}

/** A SIP address from the command line; "bob@192.0.2.1" will do. */
export function readAddress(text: string): SipUri {
  try {
    // Without brackets the parameters are the URI's, as in "sip:bob@192.0.2.1;transport=tcp".
    const address = /^[a-z]+:/i.test(text) ? text : `sip:${text}`;
    const uri = text.includes("<") ? parseNameAddr(text).uri : parseUri(address);
    if (isSipUri(uri)) return uri;
  } catch {
    // told below
  }
  throw new CliError(`${text} is not a SIP address such as sip:bob@192.0.2.1`);
}

/** Sound in and out of one phone. */
export class Sound {
  readonly #options: SoundOptions;
  readonly #recorded: Int16Array[] = [];
  readonly #playing: Int16Array | undefined;

  /** @throws {CliError} if the file to play cannot be used */
  constructor(options: SoundOptions) {
    this.#options = options;
    if (options.play === undefined) return;
    try {
      this.#playing = parseWav(readFileSync(options.play), { sampleRate: 8000 }).samples;
    } catch (error) {
      const { code, message } = error as NodeJS.ErrnoException;
      throw new CliError(`${options.play}: ${code === "ENOENT" ? "there is no such file" : message}`);
    }
  }

  get media() {
    return audio({
      source: (): AudioSource =>
        this.#playing === undefined
          ? toneSource({ frequency: this.#options.tone, level: this.#options.level })
          : recordingSource(this.#playing, { loop: true }),
      ...(this.#options.codecs === undefined ? {} : { codecs: this.#options.codecs }),
      ...(this.#options.record === undefined
        ? {}
        : { onAudio: (samples: Int16Array) => void this.#recorded.push(samples.slice()) }),
    });
  }

  /** Writes the recording, if one was asked for. */
  save(): void {
    const { record } = this.#options;
    if (record === undefined) return;
    const samples = new Int16Array(this.#recorded.reduce((sum, part) => sum + part.length, 0));
    let at = 0;
    for (const part of this.#recorded) {
      samples.set(part, at);
      at += part.length;
    }
    writeFileSync(record, printWav({ sampleRate: 8000, samples }));
  }
}

/** A user agent for this address and these options. */
export function makePhone(
  identity: SipUri,
  options: PhoneOptions,
  password: string | undefined,
  more: Partial<UserAgentOptions>,
): UserAgent {
  const socket = {
    ...(options.port === undefined ? {} : { port: options.port }),
    ...(options.address !== undefined
      ? { address: options.address }
      : identity.host.includes(":")
        ? { address: "::" }
        : {}),
  };
  const { proxy } = options;
  return new UserAgent({
    aor: `sip:${identity.user === undefined ? "" : `${encodeURIComponent(identity.user)}@`}${hostOf(identity)}`,
    transports: options.transport === "tcp" ? [tcp(socket)] : [udp(socket), tcp(socket)],
    product: "offhook",
    ...(options.json ? {} : { onRetry: showRetry }),
    ...(password === undefined
      ? {}
      : { credentials: { user: options.user ?? identity.user ?? "", password } }),
    ...(options.trace ? { observer: tracer() } : {}),
    ...more,
    ...(proxy === undefined ? {} : { outboundProxy: proxyUri(proxy, options.transport) }),
  });
}

/** A next hop as a URI, with the transport that was asked for. */
export function proxyUri(text: string, transport: string | undefined): string {
  const uri = readAddress(text);
  const wanted = transport ?? uri.params.get("transport");
  return `sip:${hostOf(uri)};lr${wanted === undefined ? "" : `;transport=${wanted}`}`;
}

export function hostOf({ host, port }: SipUri): string {
  return `${host.includes(":") ? `[${host}]` : host}${port === undefined ? "" : `:${port}`}`;
}

/**
 * Runs `work` with a phone, and ends the phone whatever happens. If it is asked for a password that nobody gave,
 * asks at the terminal and runs `work` once more; fails if `nameOption`, which was not given, would say whose it is.
 */
export async function withPhone<T>(
  options: PhoneOptions,
  make: (password: string | undefined) => UserAgent,
  work: (phone: UserAgent) => Promise<T>,
  nameOption?: string,
): Promise<T> {
  let password = options.password ?? process.env["OFFHOOK_PASSWORD"];
  for (;;) {
    const phone = make(password);
    try {
      await phone.ready;
      return await work(phone);
    } catch (error) {
      const isAsked = error instanceof Rejected && (error.statusCode === 401 || error.statusCode === 407);
      if (!isAsked || password !== undefined) throw await explained(error, password !== undefined);
      if (nameOption !== undefined) {
        const { statusCode, response } = error;
        const title = clean(`${statusCode} ${response.reasonPhrase}`);
        throw new CliError(`${title}: the server asks who this is (${nameOption}, one of its users)`, 1);
      }
      await phone.stop();
      const aor = phone.aor.uri;
      password = await readPassword(undefined, `Password of ${options.user ?? aor.user} at ${aor.host}: `);
    } finally {
      await phone.stop();
    }
  }
}

/** "421 Extension Required: trying again". */
function showRetry({ response: { statusCode, reasonPhrase }, delay }: AutomaticRetry): void {
  // That a server asks for the password is what passwords are for.
  if (statusCode === 401 || statusCode === 407) return;
  const when = delay === 0 ? "trying again" : `trying again in ${(delay / 1000).toFixed(1)} s`;
  console.log(clean(`${statusCode} ${reasonPhrase}: ${when}`));
}

/** The failure in words that fit one line. */
async function explained(error: unknown, hadPassword: boolean): Promise<unknown> {
  if (error instanceof Rejected) {
    const { statusCode, response, origin } = error;
    if (origin === "timeout") return new CliError("nobody answers there (no response within 32 s)", 1);
    if (origin === "transport") return new CliError(`cannot be reached: ${causeOf(error)}`, 1);
    const title = `${statusCode} ${response.reasonPhrase}`;
    if (hadPassword && (statusCode === 401 || statusCode === 407)) {
      return new CliError(clean(`${title}; the password is not right`), 1);
    }
    const { meaning, said } = await explain(error);
    const quoted = said.length === 0 ? "" : ` It says: ${said.join("; ")}`;
    return new CliError(clean(`${title}: ${meaning}${quoted}`), 1);
  }
  if (error instanceof TransportError) return new CliError(error.message, 1);
  const { code, message } = error as NodeJS.ErrnoException;
  if (code === "EADDRINUSE") return new CliError("the port is in use by another program (--port)", 1);
  if (code === "EADDRNOTAVAIL") return new CliError("--address is not an address of this machine");
  return error instanceof Error && code?.startsWith("SIP_") ? new CliError(message, 1) : error;
}

function causeOf(error: Rejected): string {
  return error.cause instanceof Error ? error.cause.message : "no way there";
}

/** Prints messages as they come and go. */
function tracer(): StackObserver {
  const print = (
    arrow: string,
    remote: { address: string; port: number },
    transport: string,
    bytes: Uint8Array,
  ) => {
    const text = redact(Buffer.from(bytes).toString("utf8"));
    const lines = text
      .trimEnd()
      .split(/\r?\n/)
      .map((line) => `  ${clean(line)}`);
    const time = new Date().toISOString().slice(11, 23);
    process.stderr.write(
      `${time} ${arrow} ${transport} ${remote.address}:${remote.port}\n${lines.join("\n")}\n\n`,
    );
  };
  return {
    received: (message, flow) => print("<──", flow.remote, flow.transport, message.bytes),
    sent: (bytes, flow) => print("──>", flow.remote, flow.transport, bytes),
  };
}
