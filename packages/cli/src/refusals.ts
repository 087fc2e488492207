// What the test phone takes and what it refuses: options of `offhook answer`. Each makes a condition, none names a status.

import { isSipUri, type Uri } from "@offhook/sip/message";
import type { UserAgentOptions } from "@offhook/sip/user-agent";
import { type Command, InvalidArgumentError, Option } from "commander";
import { seconds, wholeNumber } from "./phone.ts";

export interface RefusalOptions {
  readonly accept?: readonly string[];
  readonly nowhere?: readonly string[];
  readonly deny?: readonly string[];
  readonly maxCalls?: number;
  readonly sole?: boolean;
  readonly dnd?: boolean;
  readonly ringTimeout?: number;
  readonly sips?: "refused" | "required";
  readonly "100rel"?: "supported" | "required" | "off";
  readonly require?: readonly string[];
  readonly methods?: readonly string[];
  readonly maxBody?: number;
  readonly maxMessage?: number;
  readonly maxUri?: number;
  readonly languages?: readonly string[];
  readonly smime?: boolean;
}

export function addRefusalOptions(command: Command): Command {
  return command
    .optionsGroup("What is refused:")
    .option("--accept <names...>", "who can be called here; default: the user, with --no-register anybody")
    .option("--nowhere <names...>", "who is known to exist nowhere")
    .option("--deny <callers...>", "whose calls are not wanted: user names or user@host")
    .option("--max-calls <number>", "calls at a time, more find the line busy", wholeNumber(0, 1_000_000))
    .option("--sole", "no other phone or mailbox of this user answers: busy here is busy everywhere")
    .option("--dnd", "do not disturb")
    .option("--ring-timeout <seconds>", "how long it may ring", seconds)
    .addOption(
      new Option("--sips <policy>", "sips: addresses, or all others, are not wanted").choices([
        "refused",
        "required",
      ]),
    )
    .addOption(new Option("--100rel <use>", "reliable ringing").choices(["supported", "required", "off"]))
    .option("--require <tags...>", "extensions that callers must support")
    .option("--methods <names...>", "the only methods taken beside INVITE, ACK, CANCEL and BYE", upperCase)
    .option("--max-body <bytes>", "longest body", wholeNumber(0, 10_000_000))
    .option("--max-message <bytes>", "longest request", wholeNumber(200, 10_000_000))
    .option("--max-uri <bytes>", "longest Request-URI", wholeNumber(20, 1_000_000))
    .option("--languages <tags...>", "languages of bodies that are understood")
    .option("--smime", "know encrypted bodies (S/MIME) when they come, instead of taking them for unknown")
    .optionsGroup("Options:");
}

function upperCase(name: string, before: readonly string[] = []): readonly string[] {
  if (!/^[A-Za-z]+$/.test(name)) throw new InvalidArgumentError("It must be methods, e.g. OPTIONS INFO.");
  return [...before, name.toUpperCase()];
}

/** The same for a user agent. */
export function refusalsOf(options: RefusalOptions): Partial<UserAgentOptions> {
  const { accept, nowhere, deny, maxCalls, sole, dnd, ringTimeout, sips, languages, smime } = options;
  const { require: requires, methods: allow, maxBody, maxMessage, maxUri } = options;
  const use = options["100rel"];
  return {
    ...(accept === undefined ? {} : { accepts: (uri: Uri) => isNamed(uri, accept) }),
    ...(nowhere === undefined ? {} : { existsNowhere: (uri: Uri) => isNamed(uri, nowhere) }),
    ...(deny === undefined ? {} : { acceptsFrom: (uri: Uri) => !isNamed(uri, deny) }),
    ...(maxCalls === undefined ? {} : { maxCalls }),
    ...(sole === undefined ? {} : { soleEndpoint: sole }),
    ...(dnd === undefined ? {} : { doNotDisturb: dnd }),
    ...(ringTimeout === undefined ? {} : { ringTimeout }),
    ...(sips === undefined ? {} : { sips }),
    ...(use === undefined ? {} : { reliableProvisionals: use }),
    ...(requires === undefined ? {} : { requires }),
    ...(allow === undefined ? {} : { allow }),
    ...(maxBody === undefined ? {} : { maxBody }),
    ...(languages === undefined ? {} : { languages }),
    ...(smime === true ? { smime: "detect" as const } : {}),
    limits: {
      ...(maxMessage === undefined ? {} : { messageSize: maxMessage }),
      ...(maxUri === undefined ? {} : { uriLength: maxUri }),
    },
  };
}

/** By user part, or user and host. */
function isNamed(uri: Uri, names: readonly string[]): boolean {
  return isSipUri(uri) && names.some((name) => name === uri.user || name === `${uri.user}@${uri.host}`);
}
