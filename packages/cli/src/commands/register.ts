// `offhook register <address>`: can this user register? Once, or for as long as the command runs.

import { Command } from "commander";
import {
  addPhoneOptions,
  hostOf,
  makePhone,
  type PhoneOptions,
  proxyUri,
  readAddress,
  wholeNumber,
  withPhone,
} from "../phone.ts";
import { aborted, stopSignal } from "../talk.ts";
import { clean } from "../text-table.ts";

interface Options extends PhoneOptions {
  readonly expires: number;
  readonly stay?: boolean;
}

export function registerCommand(): Command {
  const command = new Command("register")
    .description(
      "test phone: register, tell who else is registered there, and take the registration away again",
    )
    .argument("<address>", "sip:bob@192.0.2.1")
    .option("-e, --expires <seconds>", "how long to ask for", wholeNumber(1, 4_000_000), 600)
    .option("--stay", "stay registered until Ctrl-C");
  return addPhoneOptions(command).action(run);
}

async function run(address: string, options: Options): Promise<void> {
  const identity = readAddress(address);
  const transport = options.transport ?? identity.params.get("transport");
  const stop = stopSignal();
  try {
    await withPhone(
      options,
      (password) =>
        makePhone(identity, options, password, {
          ...(transport === undefined
            ? {}
            : { outboundProxy: proxyUri(`sip:${hostOf(identity)}`, transport) }),
        }),
      async (phone) => {
        const registration = await phone.register({ expires: options.expires });
        const contacts = registration.lastResponse?.headers.rawAll("Contact") ?? [];
        const granted = Math.round((registration.expiresAt - Date.now()) / 1000);
        if (options.json) console.log(JSON.stringify({ expires: granted, contacts }, undefined, 2));
        else
          console.log(
            [`registered for ${granted} s`, ...contacts.map((contact) => clean(`  ${contact}`))].join("\n"),
          );
        if (!options.stay) return;
        registration.onState((state) => {
          if (!options.json) console.log(`registration: ${state}`);
        });
        await aborted(stop.signal);
      },
    );
  } finally {
    stop.dispose();
  }
}
