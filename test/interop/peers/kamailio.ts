// Kamailio as a registrar and proxy with digest, for a client of ours to meet.
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { freePort } from "../../free-port.ts";
import { Program } from "./program.ts";

/** Kamailio as a peer over mutual TLS: PEM files. */
export interface KamailioTls {
  certificate: string;
  key: string;
  ca: string;
}

export class Kamailio {
  /** Where it speaks TLS, if it does. */
  readonly tlsPort: number;
  readonly program: Program;
  readonly port: number;
  readonly folder: string;

  private constructor(program: Program, port: number, folder: string, tlsPort: number) {
    this.tlsPort = tlsPort;
    this.program = program;
    this.port = port;
    this.folder = folder;
  }

  /**
   * Starts a registrar and record-routing proxy for `host`; every user's password is `password`. With `tls` it asks
   * peers for a certificate, believes those that have a good one, and relays calls of its users to anywhere.
   */
  static async start(host: string, password: string, tls?: KamailioTls): Promise<Kamailio> {
    const folder = await mkdtemp(join(tmpdir(), "kamailio-"));
    const port = await freePort(host);
    const config = join(folder, "kamailio.cfg");
    const tlsPort = tls === undefined ? 0 : await freePort(host);
    const tlsConfig = join(folder, "tls.cfg");
    if (tls !== undefined) await writeFile(tlsConfig, tlsConfiguration(tls));
    await writeFile(config, configuration(host, port, password, tls && { port: tlsPort, config: tlsConfig }));
    const program = new Program("kamailio", ["-DD", "-E", "-f", config, "-Y", folder, "-w", folder], {
      name: "kamailio",
    });
    await program.says(/Listening on|Aliases/);
    return new Kamailio(program, port, folder, tlsPort);
  }

  async close(): Promise<void> {
    await this.program.stop("SIGTERM");
    await rm(this.folder, { recursive: true, force: true });
  }
}

function tlsConfiguration({ certificate, key, ca }: KamailioTls): string {
  const side = (name: string) => `[${name}:default]
method = TLSv1.2+
verify_certificate = yes
require_certificate = yes
certificate = ${certificate}
private_key = ${key}
ca_list = ${ca}
`;
  return side("server") + side("client");
}

function configuration(
  host: string,
  port: number,
  password: string,
  tls?: { port: number; config: string },
): string {
  const modules = [
    ...(tls ? ["tls"] : []),
    ..."tm sl rr pv maxfwd textops siputils usrloc registrar auth".split(" "),
  ];
  return `#!KAMAILIO
debug=2
log_stderror=yes
fork=yes
children=1
tcp_children=1
auto_aliases=no
dns=no
rev_dns=no
listen=udp:${host}:${port}
listen=tcp:${host}:${port}
alias="${host}:${port}"
${tls ? `enable_tls=yes\nlisten=tls:${host}:${tls.port}\nalias="${host}:${tls.port}"` : ""}
${modules.map((name) => `loadmodule "${name}.so"`).join("\n")}
${tls ? `modparam("tls", "config", "${tls.config}")` : ""}
modparam("rr", "enable_double_rr", 1)
modparam("registrar", "gruu_enabled", 0)
request_route {
  if (!mf_process_maxfwd_header("10")) { sl_send_reply("483", "Too Many Hops"); exit; }
  if (is_method("CANCEL")) { if (t_check_trans()) t_relay(); exit; }
  if (has_totag()) {
    if (loose_route()) { if (!t_relay()) sl_reply_error(); exit; }
    if (is_method("ACK")) { if (t_check_trans()) t_relay(); exit; }
    sl_send_reply("404", "Not here"); exit;
  }
  if (is_method("REGISTER")) {
    if (!pv_www_authenticate("$td", "${password}", "0")) { www_challenge("$td", "1"); exit; }
    consume_credentials();
    if (!save("location")) sl_reply_error();
    exit;
  }
  if (is_method("OPTIONS") && uri == myself && $rU == $null) { sl_send_reply("200", "OK"); exit; }
  if (is_method("INVITE")${tls ? " && proto != TLS" : ""}) {
    if (!pv_proxy_authenticate("$fd", "${password}", "0")) { proxy_challenge("$fd", "1"); exit; }
    consume_credentials();
  }
  t_check_trans();
  record_route();
  ${tls ? `remove_hf("Route");\n  if (uri != myself) { if (!t_relay()) sl_reply_error(); exit; }` : ""}
  if (!lookup("location")) { sl_send_reply("404", "Not Found"); exit; }
  if (!t_relay()) sl_reply_error();
  exit;
}
`;
}
