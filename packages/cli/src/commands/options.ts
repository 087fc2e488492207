// `offhook options <address>`: is anybody there, and what can they do? (RFC 3261 §11)

import { Command } from "commander";
import { addPhoneOptions, makePhone, type PhoneOptions, readAddress, withPhone } from "../phone.ts";
import { clean } from "../text-table.ts";

interface Options extends PhoneOptions {
  readonly from?: string;
}

export function optionsCommand(): Command {
  const command = new Command("options")
    .description("test phone: ask a server or phone whether it is there and what it can do")
    .argument("<address>", "sip:192.0.2.1, or sip:bob@192.0.2.1")
    .option("-f, --from <address>", "who asks");
  return addPhoneOptions(command).action(run);
}

const told = ["Allow", "Accept", "Supported", "Server", "User-Agent"];

async function run(address: string, options: Options): Promise<void> {
  const target = readAddress(address);
  const identity = options.from === undefined ? { ...target, user: "offhook" } : readAddress(options.from);
  const transport = options.transport === undefined ? "" : `;transport=${options.transport}`;
  const uri = `${/^sips?:/i.test(address) ? "" : "sip:"}${address}${/;transport=/i.test(address) ? "" : transport}`;
  await withPhone(
    options,
    (password) => makePhone(identity, options, password, {}),
    async (phone) => {
      const before = performance.now();
      const { statusCode, reasonPhrase, headers } = await phone.options(uri);
      const time = performance.now() - before;
      const said = told
        .filter((name) => headers.has(name))
        .map((name) => [name, headers.rawAll(name).join(", ")] as const);
      if (options.json) {
        console.log(
          JSON.stringify(
            { statusCode, milliseconds: Math.round(time), headers: Object.fromEntries(said) },
            undefined,
            2,
          ),
        );
      } else {
        const lines = said.map(([name, value]) => clean(`  ${name}: ${value}`));
        console.log(
          [clean(`${statusCode} ${reasonPhrase} after ${time.toFixed(0)} ms`), ...lines].join("\n"),
        );
      }
    },
  );
}
