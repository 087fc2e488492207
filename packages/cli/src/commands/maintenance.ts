// `offhook maintenance [on|off]`: takes a server out of service without ending its calls, and back.

import { Argument, Command } from "commander";
import { withAdministration } from "../administration.ts";

export function maintenanceCommand(): Command {
  return new Command("maintenance")
    .description(
      "whether the running server refuses what is new (503) and lets calls go on; on and off change it",
    )
    .addArgument(new Argument("[state]").choices(["on", "off"]))
    .option("-c, --config <file>", "the server's configuration; default as for serve")
    .action(async (state: "on" | "off" | undefined, options: { config?: string }) => {
      const isOn = await withAdministration(options, (admin) =>
        admin.maintenance(state === undefined ? undefined : state === "on"),
      );
      console.log(isOn ? "maintenance: requests outside dialogs get 503" : "in service");
    });
}
