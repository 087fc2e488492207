// osip2 at the jobs of bench/: reads a message from standard input, does the job so often, and prints µs of CPU.
//   osip parse|forward TIMES < MESSAGE
#include <osipparser2/osip_parser.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

static double cpu_microseconds(void) {
  struct rusage usage;
  getrusage(RUSAGE_SELF, &usage);
  return (usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1e6 + usage.ru_utime.tv_usec + usage.ru_stime.tv_usec;
}

static void give_up(const char *what) {
  fprintf(stderr, "osip2: %s\n", what);
  exit(1);
}

// The five core headers, as the others read them.
static size_t read_core(osip_message_t *message) {
  osip_via_t *via = NULL;
  osip_generic_param_t *branch = NULL, *tag = NULL;
  if (osip_message_get_via(message, 0, &via) < 0) give_up("no Via");
  osip_via_param_get_byname(via, "branch", &branch);
  osip_from_get_tag(message->from, &tag);
  if (branch == NULL || tag == NULL) give_up("no branch, or no tag");
  return strlen(via->host) + strlen(branch->gvalue) + strlen(message->from->url->scheme) + strlen(tag->gvalue) +
         strlen(message->to->url->scheme) + strlen(message->call_id->number) + atoi(message->cseq->number);
}

// What a proxy changes.
static size_t forward(osip_message_t *message) {
  osip_header_t *max_forwards = NULL;
  char *text = NULL;
  size_t length = 0;
  osip_message_get_max_forwards(message, 0, &max_forwards);
  if (max_forwards == NULL) give_up("no Max-Forwards");
  snprintf(max_forwards->hvalue, strlen(max_forwards->hvalue) + 1, "%d", atoi(max_forwards->hvalue) - 1);
  osip_message_set_via(message, "SIP/2.0/UDP proxy.example.com:5060;rport;branch=z9hG4bK0.1.77");
  osip_message_set_record_route(message, "<sip:proxy.example.com;lr>");
  osip_message_force_update(message);
  if (osip_message_to_str(message, &text, &length) != 0) give_up("not printed");
  osip_free(text);
  return length;
}

int main(int argc, char **argv) {
  static char bytes[65536];
  size_t length = fread(bytes, 1, sizeof bytes - 1, stdin), sum = 0;
  if (argc != 3) give_up("parse or forward, and how often?");
  long times = atol(argv[2]);
  int is_forward = strcmp(argv[1], "forward") == 0;
  parser_init();
  double start = cpu_microseconds();
  for (long i = 0; i < times; i++) {
    osip_message_t *message;
    osip_message_init(&message);
    if (osip_message_parse(message, bytes, length) != 0) give_up("not parsed");
    sum += is_forward ? forward(message) : read_core(message);
    osip_message_free(message);
  }
  if (sum == 0) give_up("nothing was read");
  printf("%.4f\n", (cpu_microseconds() - start) / times);
  return 0;
}
