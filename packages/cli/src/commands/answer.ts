// `offhook answer <address>`: registers as this user, takes calls, sends a tone or a file, and says what came in.

import { printUri } from "@offhook/sip/message";
import type { Call, UserAgent } from "@offhook/sip/user-agent";
import { Command, Option } from "commander";
import {
  addPhoneOptions,
  addSoundOptions,
  makePhone,
  type PhoneOptions,
  readAddress,
  Sound,
  type SoundOptions,
  seconds,
  withPhone,
} from "../phone.ts";
import { addRefusalOptions, type RefusalOptions, refusalsOf } from "../refusals.ts";
import { aborted, showKeys, stopSignal, talk } from "../talk.ts";
import { clean } from "../text-table.ts";

interface Options extends PhoneOptions, SoundOptions, RefusalOptions {
  readonly register: boolean;
  readonly once?: boolean;
  readonly ring: number;
  readonly alertAfter: number;
  readonly earlyMedia?: boolean;
  readonly forward?: readonly string[];
  readonly hold?: number;
  readonly refuse?: keyof typeof refusals;
}

/** A person's own choices when the phone rings. */
const refusals = { busy: 486, "not-now": 480, decline: 603, unwanted: 607 } as const;

export function answerCommand(): Command {
  const command = new Command("answer")
    .description("test phone: register, and take calls with a tone or a file as sound; Ctrl-C ends")
    .argument("<address>", "sip:bob@192.0.2.1, registered at that server")
    .option("--no-register", "only listen for calls, on --port")
    .option("--once", "end after the first call")
    .option("--alert-after <seconds>", "be silent for that long before it rings", seconds, 0)
    .option("--ring <seconds>", "let it ring before answering", seconds, 1)
    .option("--early-media", "let the caller hear the sound while it rings")
    .option("--hold <seconds>", "put the caller on hold so long after the answer", seconds)
    .option("--forward <addresses...>", "answer no call, send callers there")
    .addOption(new Option("--refuse <how>", "answer no call").choices(Object.keys(refusals)));
  return addRefusalOptions(addSoundOptions(addPhoneOptions(command))).action(run);
}

async function run(address: string, options: Options): Promise<void> {
  const identity = readAddress(address);
  const sound = new Sound(options);
  const stop = stopSignal();
  const transport = options.transport ?? identity.params.get("transport");
  try {
    await withPhone(
      options,
      (password) =>
        makePhone(identity, { ...options, ...(transport === "tcp" ? { transport } : {}) }, password, {
          media: sound.media,
          ...(options.register ? {} : { accepts: true as const }),
          ...refusalsOf(options),
          ...(transport === "tcp" && options.register
            ? {
                outboundProxy: `sip:${identity.host.includes(":") ? `[${identity.host}]` : identity.host}${identity.port === undefined ? "" : `:${identity.port}`};lr;transport=tcp`,
              }
            : {}),
        }),
      (phone) => take(phone, options, stop.signal),
    );
    sound.save();
  } finally {
    stop.dispose();
  }
}

async function take(phone: UserAgent, options: Options, signal: AbortSignal): Promise<void> {
  const isQuiet = options.json === true;
  const say = (text: string) => void (isQuiet || console.log(text));
  let wasOne = () => {};
  const first = new Promise<void>((resolve) => {
    wasOne = resolve;
  });
  const talking = new Set<Promise<void>>();
  phone.onInvite((call) => {
    const conversation = converse(call, options, signal, say).then(() => {
      talking.delete(conversation);
      if (options.once) wasOne();
    });
    talking.add(conversation);
    return conversation;
  });
  if (options.register) {
    const registration = await phone.register();
    say(`registered until ${new Date(registration.expiresAt).toTimeString().slice(0, 8)}, and kept so`);
    registration.onState((state) => {
      if (state === "waiting" || state === "failed") say(`registration: ${state}`);
    });
  }
  const places = phone.listeners.map(
    ({ transport, address, port }) => `${transport.toLowerCase()} ${address}:${port}`,
  );
  say(`waiting for calls on ${places.join(", ")} (Ctrl-C ends)`);
  await Promise.race([aborted(signal), first]);
  await Promise.all(talking);
}

async function converse(
  call: Call,
  options: Options,
  signal: AbortSignal,
  say: (text: string) => void,
): Promise<void> {
  const { displayName, uri } = call.remote;
  say(clean(`call from ${displayName ?? printUri(uri)}`));
  showKeys(call, say);
  try {
    if (options.refuse !== undefined) {
      await call.reject(refusals[options.refuse]);
      say(`refused: ${options.refuse}`);
    } else if (options.forward !== undefined) {
      await call.redirect(options.forward.map((address) => printUri(readAddress(address))));
      say(`sent to ${options.forward.join(", ")}`);
    } else {
      if (options.alertAfter > 0) await Promise.race([wait(options.alertAfter), call.ended, aborted(signal)]);
      if (options.earlyMedia) await call.progress({ media: true });
      else await call.ring();
      await Promise.race([wait(options.ring), call.ended, aborted(signal)]);
      if (signal.aborted) await call.reject(480);
      else if (call.state === "ringing") await call.answer();
    }
  } catch {
    // The caller gave up in between, or nothing that was offered can be used; `ended` says it.
  }
  const answered = await call.answered.then(
    () => true,
    () => false,
  );
  if (answered) {
    say("answered");
    if (options.hold !== undefined) void holdLater(call, options.hold, say);
    const outcome = await talk(call, { duration: options.duration, signal, isQuiet: options.json === true });
    if (options.json) console.log(JSON.stringify(outcome));
    return;
  }
  const { cause } = await call.ended;
  if (options.refuse === undefined && options.forward === undefined)
    say(cause === "canceled" ? "the caller gave up" : `not answered: ${cause}`);
}

/** Puts the other side on hold after a while, and says how that went. */
export async function holdLater(call: Call, time: number, say: (text: string) => void): Promise<void> {
  await Promise.race([wait(time), call.ended]);
  if (call.state !== "established") return;
  try {
    await call.hold();
    say("on hold");
  } catch (error) {
    say(clean(`not on hold: ${(error as Error).message}`));
  }
}

function wait(time: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, time * 1000).unref();
  });
}
