// UDP sockets that receive and send in batches (recvmmsg, sendmmsg): one call into JavaScript for all datagrams that
// wait, one system call for all that it queued meanwhile. Linux; Node-API only.
//
// Each socket has one block of memory that JavaScript sees as an ArrayBuffer (`struct shared`): datagrams and addresses
// are read and written there by both sides, so that none of them costs an allocation or a call. What stands in it
// comes from JavaScript and is checked before use. src/socket.ts is the other side.

#define _GNU_SOURCE
#define NAPI_VERSION 8
#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <netinet/in.h>
#include <node_api.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <uv.h>

// Raised with every change of what JavaScript and C share: a build of another version is not used.
#define INTERFACE_VERSION 3

enum {
  BATCH = 64,    // datagrams received at once
  QUEUE = 1024,  // datagrams that may wait to be sent
  // Room for the longest datagram; no multiple of a page, or the starts of all slots would share a few cache lines.
  SLOT = 65536 + 1088,
  AREA = 1 << 20,  // bytes of the datagrams that wait to be sent
  ADDRESS = 7,     // words of an address: a sockaddr_in or sockaddr_in6 as the kernel has it
  LONGEST_WAIT = 1000,
};

// Words of `control`.
enum {
  RECEIVED,      // C → JavaScript: datagrams in `received`
  QUEUED,        // datagrams in `queued`
  USED,          // bytes of `area` that they take
  FAILED,        // entries of `failed`
  LOST,          // datagrams that the system had no memory for, since the start
  SOCKET_ERROR,  // C → JavaScript: error of the socket itself, or 0
  NOW,           // C → JavaScript: the loop's milliseconds, with `received`
  WAIT,          // JavaScript → C: milliseconds that what comes next may wait, so that more is read at once
  SCRATCH = 8,   // an address, for `parseAddress`
};

struct shared {
  uint32_t control[16];
  uint32_t received[BATCH][1 + ADDRESS];  // length, source
  uint32_t queued[QUEUE][2 + ADDRESS];    // offset in `area`, length, destination
  uint32_t failed[QUEUE][1 + ADDRESS];    // errno, destination
  uint8_t slots[BATCH][SLOT];
  uint8_t area[AREA];
};

enum { WORDS = offsetof(struct shared, slots) / 4 };

struct batch_socket {
  // The object in JavaScript, the ArrayBuffer, and each open libuv handle hold one.
  int references;
  int fd;
  bool is_closed;
  bool is_calling;
  bool is_ipv6;
  int open_handles;
  // What `poll` watches for.
  int events;
  // Not the socket but `timer` says when to read.
  bool is_gathering;
  napi_env env;
  napi_ref callback;
  napi_async_cleanup_hook_handle hook;
  uv_poll_t poll;
  uv_prepare_t prepare;
  uv_timer_t timer;
  struct shared* shared;
  unsigned filled;  // entries of `incoming` that the kernel has written to
  struct mmsghdr incoming[BATCH];
  struct iovec incoming_bytes[BATCH];
  struct mmsghdr outgoing[QUEUE];
  struct iovec outgoing_bytes[QUEUE];
};

// What `open` returns carries this tag: other objects are refused.
static const napi_type_tag socket_tag = {0x6f66666e6f6f6b42, 0x7564706261746368};

static void release(struct batch_socket* self) {
  if (--self->references > 0) return;
  free(self->shared);
  free(self);
}

// --- Addresses --------------------------------------------------------------------------------------------------

static socklen_t address_size(const struct batch_socket* self) {
  return self->is_ipv6 ? sizeof(struct sockaddr_in6) : sizeof(struct sockaddr_in);
}

// An IPv6 address may have a zone (RFC 4007 §11): "fe80::1%eth0" or "fe80::1%2".
static bool parse_address(bool is_ipv6, char* text, uint32_t port, uint32_t* words) {
  memset(words, 0, ADDRESS * sizeof *words);
  if (port > UINT16_MAX) return false;
  if (!is_ipv6) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    if (inet_pton(AF_INET, text, &address.sin_addr) != 1) return false;
    memcpy(words, &address, sizeof address);
    return true;
  }
  struct sockaddr_in6 address = {.sin6_family = AF_INET6, .sin6_port = htons((uint16_t)port)};
  char* zone = strchr(text, '%');
  if (zone != NULL) {
    *zone++ = '\0';
    char* end;
    unsigned long number = strtoul(zone, &end, 10);
    address.sin6_scope_id = *zone != '\0' && *end == '\0' ? (uint32_t)number : if_nametoindex(zone);
    if (address.sin6_scope_id == 0) return false;
  }
  if (inet_pton(AF_INET6, text, &address.sin6_addr) != 1) return false;
  memcpy(words, &address, sizeof address);
  return true;
}

static void print_address(bool is_ipv6, const uint32_t* words, char* text, socklen_t size) {
  if (!is_ipv6) {
    struct sockaddr_in address;
    memcpy(&address, words, sizeof address);
    inet_ntop(AF_INET, &address.sin_addr, text, size);
    return;
  }
  struct sockaddr_in6 address;
  memcpy(&address, words, sizeof address);
  inet_ntop(AF_INET6, &address.sin6_addr, text, size);
  char zone[IF_NAMESIZE];
  if (IN6_IS_ADDR_LINKLOCAL(&address.sin6_addr) && if_indextoname(address.sin6_scope_id, zone) != NULL) {
    size_t length = strlen(text);
    snprintf(text + length, size - length, "%%%s", zone);
  }
}

// --- Sending ----------------------------------------------------------------------------------------------------

static void fail(struct shared* shared, const uint32_t* destination, int error) {
  uint32_t* control = shared->control;
  // More than JavaScript has fetched in this turn: the rest is as if lost on the way.
  if (control[FAILED] >= QUEUE) return;
  uint32_t* entry = shared->failed[control[FAILED]++];
  entry[0] = error;
  memcpy(entry + 1, destination, ADDRESS * sizeof *entry);
}

static int transmit(struct batch_socket* self, unsigned first, unsigned count) {
  struct mmsghdr* messages = self->outgoing + first;
  if (count > 1) return sendmmsg(self->fd, messages, count, MSG_DONTWAIT | MSG_NOSIGNAL);
  const struct msghdr* message = &messages->msg_hdr;
  ssize_t sent = sendto(self->fd, message->msg_iov->iov_base, message->msg_iov->iov_len,
                        MSG_DONTWAIT | MSG_NOSIGNAL, message->msg_name, message->msg_namelen);
  return sent < 0 ? -1 : 1;
}

// Moves what is left of the queue to its start, so that there is room behind it.
static void compact(struct shared* shared, unsigned sent, unsigned count) {
  uint32_t* control = shared->control;
  uint32_t start = shared->queued[sent][0];
  control[QUEUED] = count - sent;
  if (sent == 0) return;
  memmove(shared->queued, shared->queued[sent], (count - sent) * sizeof *shared->queued);
  if (start > control[USED] || control[USED] > AREA) return;
  memmove(shared->area, shared->area + start, control[USED] - start);
  control[USED] -= start;
  for (unsigned i = 0; i < control[QUEUED]; i++) shared->queued[i][0] -= start;
}

// Sends what is queued, as far as the system takes it.
static void flush(struct batch_socket* self) {
  struct shared* shared = self->shared;
  uint32_t* control = shared->control;
  unsigned count = control[QUEUED];
  if (count == 0 || self->is_closed) return;
  if (count > QUEUE) count = QUEUE;
  socklen_t size = address_size(self);
  for (unsigned i = 0; i < count; i++) {
    uint32_t* entry = shared->queued[i];
    uint32_t offset = entry[0], length = entry[1];
    if (offset > AREA || length > AREA - offset) {
      // Somebody else has written here: this and what follows is nothing that was given to us to send.
      count = i;
      break;
    }
    self->outgoing_bytes[i] = (struct iovec){shared->area + offset, length};
    self->outgoing[i].msg_hdr.msg_name = entry + 2;
    self->outgoing[i].msg_hdr.msg_namelen = size;
  }
  unsigned sent = 0;
  while (sent < count) {
    int result = transmit(self, sent, count - sent);
    if (result > 0) {
      sent += result;
    } else if (errno == EAGAIN || errno == EWOULDBLOCK) {
      compact(shared, sent, count);
      return;
    } else if (errno == ENOBUFS || errno == ENOMEM) {
      // The same as a full queue anywhere on the way.
      control[LOST]++;
      sent++;
    } else if (errno != EINTR) {
      fail(shared, shared->queued[sent] + 2, errno);
      sent++;
    }
  }
  control[QUEUED] = control[USED] = 0;
}

// --- Events -----------------------------------------------------------------------------------------------------

static void call_javascript(struct batch_socket* self) {
  napi_env env = self->env;
  napi_handle_scope scope;
  napi_value callback;
  if (napi_open_handle_scope(env, &scope) != napi_ok) return;
  self->is_calling = true;
  if (napi_get_reference_value(env, self->callback, &callback) == napi_ok && callback != NULL) {
    // Opens a callback scope: ticks and promise jobs run before it returns, and what they send is queued too.
    if (napi_make_callback(env, NULL, callback, callback, 0, NULL, NULL) != napi_ok) {
      bool is_pending = false;
      napi_value error;
      napi_is_exception_pending(env, &is_pending);
      if (is_pending && napi_get_and_clear_last_exception(env, &error) == napi_ok) napi_fatal_exception(env, error);
    }
  }
  self->is_calling = false;
  napi_close_handle_scope(env, scope);
}

static void on_poll(uv_poll_t* handle, int status, int events);

// Waits for datagrams, unless the timer does, and for room in the system's buffer while something is queued.
static void watch(struct batch_socket* self) {
  if (self->is_closed) return;
  const uint32_t* control = self->shared->control;
  bool wants_writable = control[QUEUED] > 0 || control[FAILED] > 0;
  int events = (self->is_gathering ? 0 : UV_READABLE) | (wants_writable ? UV_WRITABLE : 0);
  if (events == self->events) return;
  self->events = events;
  if (events == 0)
    uv_poll_stop(&self->poll);
  else
    uv_poll_start(&self->poll, events, on_poll);
}

// Sends what is queued, and tells JavaScript what could not be sent. Its answer to that may be to send something
// else: if that fails as well it is told in the loop's next turn, so that other events come in between.
static void settle(struct batch_socket* self) {
  flush(self);
  if (self->shared->control[FAILED] > 0 && !self->is_closed) {
    call_javascript(self);
    flush(self);
  }
  watch(self);
}

static void on_timer(uv_timer_t* handle);

// Reads what waits. JavaScript says with it when to read again: as soon as more comes, or after a while.
static void receive(struct batch_socket* self) {
  struct shared* shared = self->shared;
  uint32_t* control = shared->control;
  socklen_t size = address_size(self);
  self->is_gathering = false;
  for (unsigned i = 0; i < self->filled; i++) self->incoming[i].msg_hdr.msg_namelen = size;
  // Once in each turn of the loop: if more waits we are called again at once, after others had theirs.
  int count = recvmmsg(self->fd, self->incoming, BATCH, MSG_DONTWAIT, NULL);
  if (count > 0) {
    self->filled = count;
    for (int i = 0; i < count; i++) shared->received[i][0] = self->incoming[i].msg_len;
    control[RECEIVED] = count;
  } else if (count < 0 && errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR) {
    control[SOCKET_ERROR] = errno;
  } else {
    return;
  }
  control[NOW] = (uint32_t)uv_now(self->timer.loop);
  control[WAIT] = 0;
  call_javascript(self);
  control[RECEIVED] = control[SOCKET_ERROR] = 0;
  uint32_t wait = control[WAIT] < LONGEST_WAIT ? control[WAIT] : LONGEST_WAIT;
  if (wait == 0 || self->is_closed) return;
  self->is_gathering = true;
  uv_timer_start(&self->timer, on_timer, wait, 0);
}

static void on_poll(uv_poll_t* handle, int status, int events) {
  struct batch_socket* self = handle->data;
  if (self->is_closed) return;
  // libuv has stopped watching: the socket has an error, which reading it brings to light.
  if (status < 0) self->events = 0;
  // A loop that somebody runs within the callback must not overwrite the datagrams in hand.
  if (self->is_calling) return;
  if (status < 0 || (events & UV_READABLE) != 0) receive(self);
  settle(self);
}

static void on_timer(uv_timer_t* handle) {
  struct batch_socket* self = handle->data;
  if (self->is_closed) return;
  if (self->is_calling) {
    uv_timer_start(handle, on_timer, 1, 0);
    return;
  }
  receive(self);
  settle(self);
}

// Before the loop waits: what timers and other sockets gave cause to send.
static void on_prepare(uv_prepare_t* handle) {
  struct batch_socket* self = handle->data;
  const uint32_t* control = self->shared->control;
  bool waits_for_room = (self->events & UV_WRITABLE) != 0;
  if ((control[QUEUED] > 0 || control[FAILED] > 0) && !waits_for_room && !self->is_calling) settle(self);
}

// --- Closing ----------------------------------------------------------------------------------------------------

static void on_handle_closed(uv_handle_t* handle) {
  struct batch_socket* self = handle->data;
  if (--self->open_handles == 0) napi_remove_async_cleanup_hook(self->hook);
  release(self);
}

// What is queued is sent if the system takes it now.
static void close_socket(struct batch_socket* self) {
  if (self->is_closed) return;
  flush(self);
  self->is_closed = true;
  uv_close((uv_handle_t*)&self->poll, on_handle_closed);
  uv_close((uv_handle_t*)&self->prepare, on_handle_closed);
  uv_close((uv_handle_t*)&self->timer, on_handle_closed);
  close(self->fd);
  napi_delete_reference(self->env, self->callback);
}

// The environment ends (process, worker thread): it waits until the handles are closed.
static void on_teardown(napi_async_cleanup_hook_handle hook, void* data) {
  (void)hook;
  close_socket(data);
}

static void on_object_finalized(napi_env env, void* data, void* hint) {
  (void)env;
  (void)hint;
  release(data);
}

static void on_buffer_finalized(napi_env env, void* data, void* hint) {
  (void)env;
  (void)data;
  release(hint);
}

// --- For JavaScript ---------------------------------------------------------------------------------------------

static napi_value throw_argument_error(napi_env env, const char* text) {
  napi_throw_type_error(env, "ERR_INVALID_ARG_VALUE", text);
  return NULL;
}

static napi_value integer(napi_env env, int32_t value) {
  napi_value result = NULL;
  napi_create_int32(env, value, &result);
  return result;
}

static struct batch_socket* unwrap(napi_env env, napi_value value) {
  napi_valuetype type;
  bool is_socket = false;
  void* self = NULL;
  if (napi_typeof(env, value, &type) != napi_ok || type != napi_object ||
      napi_check_object_type_tag(env, value, &socket_tag, &is_socket) != napi_ok || !is_socket ||
      napi_unwrap(env, value, &self) != napi_ok) {
    throw_argument_error(env, "not a batch socket");
    return NULL;
  }
  return self;
}

// Arguments of a call; false, and an exception, if there are not `count` of them.
static bool arguments(napi_env env, napi_callback_info info, size_t count, napi_value* values) {
  size_t given = count;
  if (napi_get_cb_info(env, info, &given, values, NULL, NULL) == napi_ok && given >= count) return true;
  throw_argument_error(env, "too few arguments");
  return false;
}

static void grant(int fd, int forced, int asked, uint32_t size) {
  if (size == 0) return;
  int value = size > INT32_MAX / 2 ? INT32_MAX / 2 : (int)size;
  // The first goes beyond the system's limit, but only for the privileged.
  if (setsockopt(fd, SOL_SOCKET, forced, &value, sizeof value) != 0)
    setsockopt(fd, SOL_SOCKET, asked, &value, sizeof value);
}

static int granted(int fd, int option) {
  int value = 0;
  socklen_t size = sizeof value;
  getsockopt(fd, SOL_SOCKET, option, &value, &size);
  return value;
}

// A bound socket, or -1 and errno.
static int bind_socket(bool is_ipv6, const uint32_t* address, uint32_t receive_size, uint32_t send_size) {
  int fd = socket(is_ipv6 ? AF_INET6 : AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0) return -1;
  int on = 1;
  grant(fd, SO_RCVBUFFORCE, SO_RCVBUF, receive_size);
  grant(fd, SO_SNDBUFFORCE, SO_SNDBUF, send_size);
  socklen_t size = is_ipv6 ? sizeof(struct sockaddr_in6) : sizeof(struct sockaddr_in);
  if ((!is_ipv6 || setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on) == 0) &&
      bind(fd, (const struct sockaddr*)address, size) == 0)
    return fd;
  int error = errno;
  close(fd);
  errno = error;
  return -1;
}

static struct batch_socket* make_socket(napi_env env, bool is_ipv6) {
  struct batch_socket* self = calloc(1, sizeof *self);
  if (self == NULL) return NULL;
  // Zeroed by the system page by page on first use: a socket costs what it uses.
  self->shared = calloc(1, sizeof *self->shared);
  if (self->shared == NULL) {
    free(self);
    return NULL;
  }
  self->env = env;
  self->is_ipv6 = is_ipv6;
  self->filled = BATCH;
  for (unsigned i = 0; i < BATCH; i++) {
    self->incoming_bytes[i] = (struct iovec){self->shared->slots[i], SLOT};
    self->incoming[i].msg_hdr =
        (struct msghdr){.msg_name = self->shared->received[i] + 1, .msg_iov = &self->incoming_bytes[i], .msg_iovlen = 1};
  }
  for (unsigned i = 0; i < QUEUE; i++)
    self->outgoing[i].msg_hdr = (struct msghdr){.msg_iov = &self->outgoing_bytes[i], .msg_iovlen = 1};
  return self;
}

// Starts watching. From here on the handles hold the socket.
static int start(struct batch_socket* self, uv_loop_t* loop) {
  int error = uv_poll_init(loop, &self->poll, self->fd);
  if (error != 0) return error;
  self->poll.data = self->prepare.data = self->timer.data = self;
  uv_prepare_init(loop, &self->prepare);
  uv_unref((uv_handle_t*)&self->prepare);
  uv_timer_init(loop, &self->timer);
  self->references += 3;
  self->open_handles = 3;
  uv_prepare_start(&self->prepare, on_prepare);
  watch(self);
  return 0;
}

// open(isIpv6, address, port, receiveBufferSize, sendBufferSize, callback): a socket, or the system's error as a negative
// number. Its local address is in the scratch words.
static napi_value open_socket(napi_env env, napi_callback_info info) {
  napi_value values[6], object, buffer;
  bool is_ipv6;
  char text[INET6_ADDRSTRLEN + IF_NAMESIZE + 1];
  uint32_t port, receive_size, send_size, address[ADDRESS];
  napi_valuetype type;
  if (!arguments(env, info, 6, values)) return NULL;
  if (napi_get_value_bool(env, values[0], &is_ipv6) != napi_ok ||
      napi_get_value_string_utf8(env, values[1], text, sizeof text, NULL) != napi_ok ||
      napi_get_value_uint32(env, values[2], &port) != napi_ok ||
      napi_get_value_uint32(env, values[3], &receive_size) != napi_ok ||
      napi_get_value_uint32(env, values[4], &send_size) != napi_ok ||
      napi_typeof(env, values[5], &type) != napi_ok || type != napi_function)
    return throw_argument_error(env, "open: isIpv6, address, port, two sizes and a function are needed");
  if (!parse_address(is_ipv6, text, port, address)) return integer(env, -EINVAL);
  uv_loop_t* loop;
  if (napi_get_uv_event_loop(env, &loop) != napi_ok) return throw_argument_error(env, "no event loop");

  int fd = bind_socket(is_ipv6, address, receive_size, send_size);
  if (fd < 0) return integer(env, -errno);
  struct batch_socket* self = make_socket(env, is_ipv6);
  if (self == NULL) {
    close(fd);
    return integer(env, -ENOMEM);
  }
  self->fd = fd;
  socklen_t size = address_size(self);
  getsockname(fd, (struct sockaddr*)&self->shared->control[SCRATCH], &size);

  // Each step that succeeds adds a holder of the memory; what comes after a failure lets go of the rest.
  self->references = 1;
  bool is_made = napi_create_external_arraybuffer(env, self->shared, sizeof *self->shared, on_buffer_finalized, self,
                                                  &buffer) == napi_ok;
  if (is_made) self->references++;
  is_made = is_made && napi_create_object(env, &object) == napi_ok &&
            napi_type_tag_object(env, object, &socket_tag) == napi_ok &&
            napi_set_named_property(env, object, "buffer", buffer) == napi_ok &&
            napi_set_named_property(env, object, "receiveBufferSize", integer(env, granted(fd, SO_RCVBUF))) == napi_ok &&
            napi_set_named_property(env, object, "sendBufferSize", integer(env, granted(fd, SO_SNDBUF))) == napi_ok &&
            napi_wrap(env, object, self, on_object_finalized, NULL, NULL) == napi_ok;
  if (is_made) self->references++;
  is_made = is_made && napi_create_reference(env, values[5], 1, &self->callback) == napi_ok;
  int error = is_made ? start(self, loop) : -ENOTSUP;
  if (error == 0) {
    napi_add_async_cleanup_hook(env, on_teardown, self, &self->hook);
  } else {
    self->is_closed = true;
    close(fd);
    if (is_made) napi_delete_reference(env, self->callback);
  }
  release(self);
  return error == 0 ? object : integer(env, error);
}

// flush(socket): sends what is queued now; what fails is told later.
static napi_value flush_queue(napi_env env, napi_callback_info info) {
  napi_value value;
  struct batch_socket* self = arguments(env, info, 1, &value) ? unwrap(env, value) : NULL;
  if (self != NULL) flush(self);
  return NULL;
}

// close(socket)
static napi_value close_by_javascript(napi_env env, napi_callback_info info) {
  napi_value value;
  struct batch_socket* self = arguments(env, info, 1, &value) ? unwrap(env, value) : NULL;
  if (self != NULL) close_socket(self);
  return NULL;
}

// parseAddress(socket, text, port): whether it is a literal address of the socket's family; its words are in scratch.
static napi_value parse_by_javascript(napi_env env, napi_callback_info info) {
  napi_value values[3], result;
  char text[INET6_ADDRSTRLEN + IF_NAMESIZE + 1];
  size_t length;
  uint32_t port;
  struct batch_socket* self = arguments(env, info, 3, values) ? unwrap(env, values[0]) : NULL;
  if (self == NULL) return NULL;
  if (napi_get_value_string_utf8(env, values[1], text, sizeof text, &length) != napi_ok ||
      napi_get_value_uint32(env, values[2], &port) != napi_ok)
    return throw_argument_error(env, "parseAddress: a text and a number are needed");
  bool is_address = length == strlen(text) && length < sizeof text - 1 &&
                    parse_address(self->is_ipv6, text, port, self->shared->control + SCRATCH);
  return napi_get_boolean(env, is_address, &result) == napi_ok ? result : NULL;
}

// printAddress(socket, word): the address that starts at this word of the shared memory, without its port.
static napi_value print_by_javascript(napi_env env, napi_callback_info info) {
  napi_value values[2], result;
  char text[INET6_ADDRSTRLEN + IF_NAMESIZE + 1] = "";
  uint32_t word;
  struct batch_socket* self = arguments(env, info, 2, values) ? unwrap(env, values[0]) : NULL;
  if (self == NULL) return NULL;
  if (napi_get_value_uint32(env, values[1], &word) != napi_ok || word > WORDS - ADDRESS)
    return throw_argument_error(env, "printAddress: no such word");
  print_address(self->is_ipv6, (const uint32_t*)self->shared + word, text, sizeof text);
  return napi_create_string_latin1(env, text, NAPI_AUTO_LENGTH, &result) == napi_ok ? result : NULL;
}

// Where V8 keeps all memory of JavaScript in one cage (Electron), there is none to share. Thrown when the module is
// loaded: who asks whether there are batch sockets is told before the first is opened. A byte is shared, not nothing: Node
// makes an empty buffer and detaches it, and once any buffer was detached, V8 asks at each access to a typed array, in all
// of the process, whether its buffer is still there.
static bool can_share_memory(napi_env env) {
  static char byte;
  napi_value buffer;
  if (napi_create_external_arraybuffer(env, &byte, sizeof byte, NULL, NULL, &buffer) == napi_ok) return true;
  napi_throw_error(env, "ERR_NO_EXTERNAL_BUFFERS", "this runtime allows no external ArrayBuffers");
  return false;
}

NAPI_MODULE_INIT() {
  if (!can_share_memory(env)) return NULL;
  const struct {
    const char* name;
    int32_t value;
  } numbers[] = {
      {"interfaceVersion", INTERFACE_VERSION},
      {"queueLength", QUEUE},
      {"areaSize", AREA},
      {"slotSize", SLOT},
      {"words", WORDS},
      {"received", offsetof(struct shared, received) / 4},
      {"queued", offsetof(struct shared, queued) / 4},
      {"failed", offsetof(struct shared, failed) / 4},
      {"slots", offsetof(struct shared, slots)},
      {"area", offsetof(struct shared, area)},
  };
  const napi_property_descriptor functions[] = {
      {"open", NULL, open_socket, NULL, NULL, NULL, napi_enumerable, NULL},
      {"flush", NULL, flush_queue, NULL, NULL, NULL, napi_enumerable, NULL},
      {"close", NULL, close_by_javascript, NULL, NULL, NULL, napi_enumerable, NULL},
      {"parseAddress", NULL, parse_by_javascript, NULL, NULL, NULL, napi_enumerable, NULL},
      {"printAddress", NULL, print_by_javascript, NULL, NULL, NULL, napi_enumerable, NULL},
  };
  for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
    napi_set_named_property(env, exports, numbers[i].name, integer(env, numbers[i].value));
  napi_define_properties(env, exports, sizeof functions / sizeof *functions, functions);
  return exports;
}
