// A whole server, to be killed. Argument: configuration file.

import { loadConfig, OffhookServer } from "@offhook/server";

await OffhookServer.start(loadConfig(process.argv[2] ?? ""));
