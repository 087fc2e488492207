// The admin socket: `Administration` as JSON over HTTP on a Unix socket that only its owner may open; both ends.

import { chmodSync, mkdirSync, rmSync } from "node:fs";
import { request as httpRequest } from "node:http";
import { connect } from "node:net";
import { dirname } from "node:path";
import type { Binding } from "@offhook/sip/registrar";
import { Hono } from "hono";
import type { Administration, ListedCall, UserInput } from "./administration.ts";
import { AdministrationError } from "./administration.ts";
import { type HttpServer, serveHttp } from "./http.ts";
import { type Account, AccountError, type ImportProblem } from "./store/index.ts";
import type { Ladder } from "./trace.ts";

/** Longest path of a Unix socket on the systems we run on (sun_path less its end). */
const longestPath = process.platform === "linux" ? 107 : 103;

/** The routes; errors become `{ error, problems? }` with 400. */
export function makeAdminApp(administration: Administration): Hono {
  const app = new Hono();
  app.onError((error, context) => {
    const problems = error instanceof AccountError ? error.problems : [];
    const isOurs = error instanceof AccountError || error instanceof AdministrationError;
    return context.json({ error: error.message, problems }, isOurs ? 400 : 500);
  });
  app.get("/users", async (context) => context.json(await administration.users()));
  app.post("/users", async (context) =>
    context.json(await administration.addUser(userOf(await context.req.json()))),
  );
  app.post("/users/import", async (context) =>
    context.json(await administration.importUsers(await context.req.text())),
  );
  app.put("/users/:name/password", async (context) => {
    const { password } = userOf({ name: "-", ...(await context.req.json()) });
    await administration.setPassword(context.req.param("name"), password);
    return context.json({});
  });
  app.delete("/users/:name", async (context) => {
    await administration.removeUser(context.req.param("name"));
    return context.json({});
  });
  app.get("/registrations", async (context) => context.json(await administration.registrations()));
  app.get("/calls", async (context) =>
    context.json(await administration.calls(Number(context.req.query("limit") ?? 50))),
  );
  app.get("/calls/:call/trace", async (context) =>
    context.json(await administration.trace(context.req.param("call"))),
  );
  app.get("/maintenance", async (context) => context.json({ isOn: await administration.maintenance() }));
  app.put("/maintenance", async (context) => {
    const { isOn } = (await context.req.json()) as { isOn?: unknown };
    if (typeof isOn !== "boolean") throw new AdministrationError("isOn must be true or false");
    return context.json({ isOn: await administration.maintenance(isOn) });
  });
  return app;
}

function userOf(value: { name?: unknown; password?: unknown; displayName?: unknown }): UserInput {
  const { name, password, displayName } = value;
  if (typeof name !== "string" || typeof password !== "string") {
    throw new AdministrationError("name and password must be texts");
  }
  return { name, password, displayName: typeof displayName === "string" ? displayName : undefined };
}

/**
 * Serves the socket, mode 0600. One that a dead server left behind is replaced.
 * @throws {AdministrationError} if another server answers there, or the path cannot be a socket
 */
export async function serveAdmin(administration: Administration, path: string): Promise<HttpServer> {
  if (Buffer.byteLength(path) > longestPath) {
    throw new AdministrationError(
      `admin.socket: ${path} is longer than the ${longestPath} bytes that the system allows`,
    );
  }
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  if (await isAnswering(path))
    throw new AdministrationError(`another server answers on ${path}: it runs already`);
  rmSync(path, { force: true });
  // Nobody else may open it, not even between its creation and the chmod.
  const before = process.umask(0o177);
  try {
    const server = await serveHttp(makeAdminApp(administration), { path });
    chmodSync(path, 0o600);
    return server;
  } finally {
    process.umask(before);
  }
}

/** True if a server listens on the socket. */
export function isAnswering(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(path);
    socket.on("connect", () => {
      socket.destroy();
      resolve(true);
    });
    socket.on("error", () => resolve(false));
  });
}

/** Asks a running server. @throws {AdministrationError} with the server's own words */
export class RemoteAdministration implements Administration {
  readonly #path: string;

  constructor(path: string) {
    this.#path = path;
  }

  users(): Promise<Account[]> {
    return this.#ask("GET", "/users");
  }

  addUser(user: UserInput): Promise<Account> {
    return this.#ask("POST", "/users", JSON.stringify(user));
  }

  async setPassword(name: string, password: string): Promise<void> {
    await this.#ask("PUT", `/users/${encodeURIComponent(name)}/password`, JSON.stringify({ password }));
  }

  async removeUser(name: string): Promise<void> {
    await this.#ask("DELETE", `/users/${encodeURIComponent(name)}`);
  }

  importUsers(csv: string): Promise<{ added: number; updated: number }> {
    return this.#ask("POST", "/users/import", csv);
  }

  registrations(): Promise<Binding[]> {
    return this.#ask("GET", "/registrations");
  }

  calls(limit: number): Promise<ListedCall[]> {
    return this.#ask("GET", `/calls?limit=${limit}`);
  }

  trace(call: string): Promise<Ladder> {
    return this.#ask("GET", `/calls/${encodeURIComponent(call)}/trace`);
  }

  async maintenance(isWanted?: boolean): Promise<boolean> {
    const { isOn } = await (isWanted === undefined
      ? this.#ask<{ isOn: boolean }>("GET", "/maintenance")
      : this.#ask<{ isOn: boolean }>("PUT", "/maintenance", JSON.stringify({ isOn: isWanted })));
    return isOn;
  }

  #ask<T>(method: string, path: string, body?: string): Promise<T> {
    return new Promise((resolve, reject) => {
      const request = httpRequest({ socketPath: this.#path, method, path, agent: false }, (response) => {
        const chunks: Buffer[] = [];
        response.on("data", (chunk: Buffer) => chunks.push(chunk));
        response.on("error", fail);
        response.on("end", () => {
          const answer = parseAnswer(Buffer.concat(chunks).toString("utf8"));
          if (answer === undefined) reject(new AdministrationError(`${this.#path} is not an admin socket`));
          else if (response.statusCode === 200) resolve(answer as T);
          else
            reject(
              answer.problems !== undefined && answer.problems.length > 0
                ? new AccountError(answer.error, answer.problems)
                : new AdministrationError(answer.error),
            );
        });
      });
      const fail = (error: Error) =>
        reject(new AdministrationError(`the server does not answer: ${error.message}`));
      request.on("error", fail);
      request.end(body);
    });
  }
}

/** Undefined if it is none: something else listens on that socket. */
function parseAnswer(text: string): { error: string; problems?: readonly ImportProblem[] } | undefined {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
