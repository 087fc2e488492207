// Chromium as a host of phones: pages bundled by Vite, served from http://localhost, driven by Playwright.
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { fileURLToPath } from "node:url";
import { type Browser, chromium, type Page } from "playwright-core";
import { build } from "vite";
import type { Phone, PhoneSettings, PhoneStatus } from "./browser-phone.ts";
import { findProgram, until } from "./program.ts";

export type Library = "jssip" | "sipjs" | "offhook";

const pages = fileURLToPath(new URL("../pages/", import.meta.url));

/** One script that holds a page's program and all that it imports. */
async function bundle(library: Library): Promise<string> {
  const result = await build({
    configFile: false,
    root: pages,
    logLevel: "error",
    define: { "process.env.NODE_ENV": '"production"', global: "globalThis" },
    resolve: { conditions: ["@offhook/source", "module", "browser", "import", "default"] },
    build: {
      write: false,
      minify: false,
      lib: { entry: `${library}.page.ts`, formats: ["iife"], name: "page" },
    },
  });
  const [output] = Array.isArray(result) ? result : [result];
  if (output === undefined || !("output" in output)) throw new Error("Vite gave no output");
  return output.output[0].code;
}

const flags = [
  ...["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"],
  ...["--disable-background-networking", "--disable-component-update", "--disable-sync"],
  ...["--use-fake-ui-for-media-stream", "--use-fake-device-for-media-stream"],
  ...["--autoplay-policy=no-user-gesture-required", "--ignore-certificate-errors"],
  // Nothing but the loopback interface is here.
  "--allow-loopback-in-peer-connection",
  "--disable-features=LocalNetworkAccessChecks,BlockInsecurePrivateNetworkRequests,WebRtcHideLocalIpsWithMdns",
];

export class Chromium {
  readonly #browser: Browser;
  readonly #server: Server;
  readonly #scripts = new Map<string, Promise<string>>();

  private constructor(browser: Browser, server: Server) {
    this.#browser = browser;
    this.#server = server;
  }

  static async start(): Promise<Chromium> {
    const executablePath = findProgram("chromium");
    if (executablePath === undefined) throw new Error("chromium is not here");
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, "localhost", resolve));
    const browser = await chromium.launch({ executablePath, args: flags });
    const self = new Chromium(browser, server);
    server.on("request", (request, response) => {
      const library = (request.url ?? "/").slice(1);
      response.setHeader("Content-Type", "text/html; charset=utf-8");
      if (!isLibrary(library)) {
        response.writeHead(404).end();
        return;
      }
      self.#script(library).then(
        (code) => response.end(`<!doctype html><title>${library}</title><script>${escaped(code)}</script>`),
        (error: Error) => response.writeHead(500).end(error.message),
      );
    });
    return self;
  }

  #script(library: Library): Promise<string> {
    let script = this.#scripts.get(library);
    if (script === undefined) {
      script = bundle(library);
      this.#scripts.set(library, script);
    }
    return script;
  }

  /** Opens a page of its own with a phone that registers; it is registered when this is fulfilled. */
  async phone(library: Library, settings: PhoneSettings): Promise<BrowserPhone> {
    const page = await this.#browser.newPage();
    const phone = new BrowserPhone(page, `${library} ${settings.user}`);
    const { port } = this.#server.address() as AddressInfo;
    const response = await page.goto(`http://localhost:${port}/${library}`);
    if (response?.status() !== 200) throw new Error(`${library}: ${await response?.text()}`);
    await phone.start(settings);
    await phone.is("registered", ({ isRegistered }) => isRegistered);
    return phone;
  }

  async close(): Promise<void> {
    await this.#browser.close();
    this.#server.closeAllConnections();
    await new Promise<void>((resolve) => this.#server.close(() => resolve()));
  }
}

/** One phone, in a page of its own. */
export class BrowserPhone {
  readonly name: string;
  readonly #page: Page;
  #console = "";

  constructor(page: Page, name: string) {
    this.#page = page;
    this.name = name;
    page.on("console", (message) => {
      this.#console += `${message.text()}\n`;
    });
    page.on("pageerror", (error) => {
      this.#console += `${error.message}\n`;
    });
  }

  start = (settings: PhoneSettings): Promise<unknown> => this.#do("start", settings);
  call = (user: string): Promise<unknown> => this.#do("call", user);
  answer = (): Promise<unknown> => this.#do("answer");
  hangUp = (): Promise<unknown> => this.#do("hangUp");
  hold = (): Promise<unknown> => this.#do("hold");
  resume = (): Promise<unknown> => this.#do("resume");
  message = (user: string, text: string): Promise<unknown> => this.#do("message", user, text);
  status = async (): Promise<PhoneStatus> => (await this.#do("status")) as PhoneStatus;

  /** Waits until its status is so. */
  async is(what: string, condition: (status: PhoneStatus) => boolean, limit = 10_000): Promise<PhoneStatus> {
    let status: PhoneStatus | undefined;
    try {
      return await until(
        `${this.name} to be ${what}`,
        async () => {
          status = await this.status();
          return condition(status) && status;
        },
        limit,
      );
    } catch (error) {
      throw new Error(
        `${(error as Error).message}; it is ${JSON.stringify(status)}\n${this.#console.slice(-3000)}`,
      );
    }
  }

  /** Waits until it has heard so many more packets with sound in them. */
  async hears(packets = 25): Promise<void> {
    const before = await this.status();
    await this.is(
      `hearing ${packets} packets`,
      (now) => now.packetsReceived >= before.packetsReceived + packets && now.energy > before.energy,
    );
  }

  async close(): Promise<void> {
    await this.#page.close();
  }

  async #do(method: keyof Phone, ...args: readonly unknown[]): Promise<unknown> {
    return await this.#page.evaluate(
      async ([method, args]) => {
        const { phone } = globalThis as unknown as {
          phone: Record<string, (...args: readonly unknown[]) => Promise<unknown>>;
        };
        return await phone[method]?.(...args);
      },
      [method, args] as const,
    );
  }
}

function isLibrary(name: string): name is Library {
  return name === "jssip" || name === "sipjs" || name === "offhook";
}

/** A script inside a page ends where it says so, even in a string. */
function escaped(code: string): string {
  return code.replaceAll("</script", "<\\/script");
}
