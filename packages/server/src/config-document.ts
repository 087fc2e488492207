// Prints docs/configuration.md from the schema, so that it cannot go stale.

import { z } from "zod";
import { configSchema } from "./config-schema.ts";

/** As much of JSON Schema as our own schema turns into. */
interface Node {
  readonly type?: string;
  readonly description?: string;
  readonly default?: unknown;
  readonly enum?: readonly unknown[];
  readonly const?: unknown;
  readonly properties?: Readonly<Record<string, Node>>;
  readonly required?: readonly string[];
  readonly items?: Node;
  readonly anyOf?: readonly Node[];
  readonly minimum?: number;
  readonly maximum?: number;
}

/** The whole document. */
export function printConfigDocument(): string {
  const root = z.toJSONSchema(configSchema, { io: "input" }) as Node;
  const sections = Object.entries(root.properties ?? {});
  const plain = sections.filter(([, node]) => mappingIn(node) === undefined);
  const lines = [
    "# Configuration",
    "",
    "One YAML file, given with `offhook serve --config offhook.yaml`. Everything has a default; a mistake is told with its",
    "line, and the server does not start. This page is printed from the schema that checks the file.",
    "",
    "```yaml",
    "domains: [example.com]",
    "listeners:",
    "  - { transport: udp, host: 0.0.0.0, port: 5060, advertise: sip.example.com }",
    "  - { transport: tcp, host: 0.0.0.0, port: 5060, advertise: sip.example.com }",
    "```",
    "",
    ...table(plain, []),
  ];
  for (const [name, node] of sections) {
    const mapping = mappingIn(node);
    if (mapping === undefined) continue;
    const isList = node.items !== undefined;
    lines.push("", `## ${name}${isList ? "[ ]" : ""}`, "", `${node.description ?? ""}.`, "");
    lines.push(...table(Object.entries(mapping.properties ?? {}), mapping.required ?? []));
  }
  return `${lines.join("\n")}\n`;
}

/** The mapping that a key's value is, or may be, or a list has as its elements. */
function mappingIn(node: Node): Node | undefined {
  if (node.properties !== undefined) return node;
  if (node.items?.properties !== undefined) return node.items;
  // `accounts: any | { … }` is told in its own line; `http: false | { … }` gets a section.
  return node.anyOf?.some((one) => one.const === false)
    ? node.anyOf.find((one) => one.properties !== undefined)
    : undefined;
}

function table(entries: readonly (readonly [string, Node])[], required: readonly string[]): string[] {
  const rows = entries.map(([name, node]) => {
    const fallback =
      required.includes(name) && node.default === undefined ? "must be given" : printDefault(node.default);
    return `| \`${name}\` | ${kind(node)} | ${fallback} | ${(node.description ?? "").replaceAll("|", "\\|")} |`;
  });
  return ["| key | value | default | |", "|---|---|---|---|", ...rows];
}

function kind(node: Node): string {
  if (node.enum !== undefined) return node.enum.map((value) => `\`${value}\``).join(", ");
  if (node.const !== undefined) return `\`${node.const}\``;
  if (node.anyOf !== undefined) return [...new Set(node.anyOf.map(kind))].join(" or ");
  if (node.items !== undefined) return `list of ${kind(node.items)}`;
  switch (node.type) {
    case "integer": {
      const top = node.maximum;
      return top === undefined || top > 1_000_000_000
        ? `number from ${node.minimum ?? 0}`
        : `${node.minimum ?? 0} to ${top}`;
    }
    case "boolean":
      return "`true`, `false`";
    case "object":
      return "mapping";
    default:
      return "text";
  }
}

function printDefault(value: unknown): string {
  if (value === undefined) return "–";
  if (Array.isArray(value))
    return value.some((one) => typeof one === "object") ? "see right" : `\`[${value.join(", ")}]\``;
  return typeof value === "object" ? "–" : `\`${value}\``;
}
