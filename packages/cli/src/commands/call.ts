// `offhook call <address>`: calls somebody, sends a tone or a file, and says what came back.

import { Command, Option } from "commander";
import { CliError } from "../cli-error.ts";
import {
  addPhoneOptions,
  addSoundOptions,
  hostOf,
  makePhone,
  type PhoneOptions,
  proxyUri,
  readAddress,
  Sound,
  type SoundOptions,
  seconds,
  withPhone,
} from "../phone.ts";
import { type CallOutcome, showKeys, stopSignal, talk } from "../talk.ts";
import { clean } from "../text-table.ts";
import { holdLater } from "./answer.ts";

interface Options extends PhoneOptions, SoundOptions {
  readonly from?: string;
  readonly timeout: number;
  readonly keys?: string;
  readonly hold?: number;
  readonly "100rel"?: "supported" | "required" | "off";
}

export function callCommand(): Command {
  const command = new Command("call")
    .description("test phone: call somebody, with a tone or a file as sound; Ctrl-C hangs up")
    .argument("<address>", "sip:bob@192.0.2.1")
    .option("-f, --from <address>", "who calls; with a password, a user of the server")
    .option("--timeout <seconds>", "give up if nobody answers", seconds, 60)
    .option("--keys <digits>", "keys to press after the answer")
    .option("--hold <seconds>", "put the other side on hold so long after the answer", seconds)
    .addOption(new Option("--100rel <use>", "reliable ringing").choices(["supported", "required", "off"]));
  return addSoundOptions(addPhoneOptions(command)).action(run);
}

async function run(target: string, options: Options): Promise<void> {
  const callee = readAddress(target);
  const caller = options.from === undefined ? undefined : readAddress(options.from);
  const sound = new Sound(options);
  const stop = stopSignal();
  const isQuiet = options.json === true;
  const say = (text: string) => void (isQuiet || console.log(text));
  const identity = caller ?? { ...callee, user: "offhook" };
  // A user's calls go by the user's own server, whoever is called.
  const proxy =
    caller === undefined
      ? undefined
      : proxyUri(`sip:${hostOf(caller)}`, options.transport ?? callee.params.get("transport"));
  try {
    const outcome = await withPhone(
      options,
      (password) =>
        makePhone(identity, options, password, {
          media: sound.media,
          ...(proxy === undefined ? {} : { outboundProxy: proxy }),
        }),
      async (phone): Promise<CallOutcome> => {
        say(`calling ${callee.user ?? hostOf(callee)} …`);
        const uri = options.transport === "tcp" && proxy === undefined ? withTransport(target) : target;
        const call = phone.call(/^[a-z]+:|</i.test(uri) ? uri : `sip:${uri}`, {
          timeout: options.timeout,
          ...(options["100rel"] === undefined ? {} : { reliableProvisionals: options["100rel"] }),
        });
        showKeys(call, say);
        const giveUp = () => void call.hangUp().catch(() => {});
        if (stop.signal.aborted) giveUp();
        stop.signal.addEventListener("abort", giveUp, { once: true });
        let shown = 0;
        call.onProgress(({ statusCode, reasonPhrase }) => {
          if (statusCode > 100 && statusCode !== shown)
            say(clean(statusCode === 180 ? "ringing" : `${statusCode} ${reasonPhrase}`));
          shown = statusCode;
        });
        try {
          await call.answered;
        } catch (error) {
          if (stop.signal.aborted) {
            await call.ended;
            throw new CliError("given up", 130);
          }
          if ((await call.ended).cause === "expired")
            throw new CliError(`nobody answered within ${options.timeout} s`, 1);
          throw error;
        } finally {
          stop.signal.removeEventListener("abort", giveUp);
        }
        say("answered");
        if (options.hold !== undefined) void holdLater(call, options.hold, say);
        if (options.keys !== undefined) await call.sendDtmf(options.keys);
        return talk(call, { duration: options.duration, signal: stop.signal, isQuiet });
      },
      caller === undefined ? "--from" : undefined,
    );
    sound.save();
    if (isQuiet) console.log(JSON.stringify(outcome, undefined, 2));
    if (outcome.outcome !== "ended") process.exitCode = 1;
  } catch (error) {
    if (isQuiet)
      console.log(JSON.stringify({ outcome: "failed", reason: (error as Error).message }, undefined, 2));
    throw error;
  } finally {
    stop.dispose();
  }
}

function withTransport(target: string): string {
  return /;transport=/i.test(target) ? target : `${target};transport=tcp`;
}
