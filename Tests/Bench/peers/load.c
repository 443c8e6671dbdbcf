/* The load generator: a closed loop, one thread, one recv and one send for each readable event. Prints
   one line of JSON.   load PORT [--mode ping|params|create|status] [--connections N] [--in-flight D]
   [--seconds T] [--warmup T] [--idle K] [TASK-ID ...]
   `--idle K` first opens K connections that only answer pings, says so in a line of its own, and waits
   for a line on standard input before it goes on. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { INPUT = 65536, SUB = 64, BUCKETS = SUB * 60, PER_ADDRESS = 20000 };

struct conn {
  int fd, idle, checked, used;
  size_t next;                  /* which of the prebuilt frames comes next */
  int64_t *sent;                /* when each request in flight was sent, oldest at `oldest` */
  size_t oldest, flying;
  unsigned char *input;         /* bytes of an answer that has not come as a whole */
};

static struct { int port, connections, depth, idle; double seconds, warmup; const char *mode; } o =
  {0, 64, 1, 0, 2, 0.3, "ping"};
static unsigned char *requests; /* `ring` + `depth` frames, so that no batch has to wrap */
static size_t size, ring;
static int64_t measured_from = INT64_MAX, buckets[BUCKETS], answered, total, slowest, wrong, lost;
static int poll_fd, is_ping;

static void die(const char *what) { perror(what); exit(1); }

static int64_t now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static double cpu(void) {
  struct rusage u;
  getrusage(RUSAGE_SELF, &u);
  return u.ru_utime.tv_sec + u.ru_stime.tv_sec + (u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
}

/* Latencies in buckets of at most 1/64 of their value. */
static void record(int64_t ns, int64_t count) {
  int shift = ns < 2 * SUB ? 0 : 57 - __builtin_clzll((uint64_t)ns);
  int at = shift * SUB + (int)(ns >> shift);
  buckets[at < BUCKETS ? at : BUCKETS - 1] += count;
  answered += count;
  if (ns > slowest) slowest = ns;
}

static double percentile(double part) {
  int64_t seen = 0, wanted = (int64_t)(part * (double)answered + 0.5);
  for (int at = 0; at < BUCKETS; at++) {
    int shift = at < 2 * SUB ? 0 : at / SUB - 1;
    if ((seen += buckets[at]) >= wanted && seen) return (double)((int64_t)(at - shift * SUB) << shift) / 1e3;
  }
  return 0;
}

static size_t frame(unsigned char *to, const char *text) {
  size_t n = strlen(text), head = n < 126 ? 2 : 4;
  static const unsigned char mask[4] = {0x37, 0xfa, 0x21, 0x3d};
  to[0] = 0x81, to[1] = (unsigned char)(0x80 | (n < 126 ? n : 126));
  if (n >= 126) to[2] = (unsigned char)(n >> 8), to[3] = (unsigned char)n;
  memcpy(to + head, mask, 4);
  for (size_t i = 0; i < n; i++) to[head + 4 + i] = (unsigned char)text[i] ^ mask[i % 4];
  return head + 4 + n;
}

static void build(char **ids, int count) {
  char text[512];
  size_t most = 1000 + o.depth;
  requests = malloc((most + o.depth) * sizeof text);
  ring = most;
  for (size_t i = 0; i < ring + o.depth; i++) {
    int id = 10000 + (int)(i % ring);
    if (!strcmp(o.mode, "create"))
      snprintf(text, sizeof text, "{\"jsonrpc\":\"2.0\",\"id\":%d,\"method\":\"create_task\",\"params\":{"
        "\"description\":\"tell the people of the harbour when the next ship leaves\",\"wait\":false}}", id);
    else if (!strcmp(o.mode, "params")) /* a ping that has to be parsed and validated as a whole */
      snprintf(text, sizeof text,
        "{\"jsonrpc\":\"2.0\",\"id\":%d,\"method\":\"ping\",\"params\":{\"_meta\":{\"trace\":\"%08d\"}}}", id, id);
    else if (!strcmp(o.mode, "status"))
      snprintf(text, sizeof text, "{\"jsonrpc\":\"2.0\",\"id\":%d,\"method\":\"get_task_status\",\"params\":{"
        "\"task_id\":\"%s\"}}", id, ids[i % ring % count]);
    else
      snprintf(text, sizeof text, "{\"jsonrpc\":\"2.0\",\"id\":%d,\"method\":\"ping\"}", id);
    size = frame(requests + i * size, text); /* all are of one size */
  }
}

static void send_requests(struct conn *c, size_t count, int64_t at) {
  if (send(c->fd, requests + c->next * size, count * size, MSG_NOSIGNAL) != (ssize_t)(count * size)) {
    lost++, close(c->fd), c->fd = -1;
    return;
  }
  c->next = (c->next + count) % ring;
  for (size_t i = 0; i < count; i++) c->sent[(c->oldest + c->flying + i) % o.depth] = at;
  c->flying += count;
}

/* Every answer is a result; of `create` and `status` every one is looked at, of `ping` the first. */
static void check(struct conn *c, const unsigned char *text, size_t n) {
  c->checked = 1;
  if (!memmem(text, n, "\"result\"", 8) || (!is_ping && !memmem(text, n, "\"task_id\"", 9))) {
    if (wrong++ == 0) fprintf(stderr, "load: wrong answer: %.*s\n", (int)(n < 300 ? n : 300), text);
  }
}

/* The number of answers that end in the input, or -1 at a frame that is none. */
static int answers(struct conn *c) {
  int count = 0;
  size_t at = 0, have = c->used;
  while (have - at >= 2) {
    const unsigned char *p = c->input + at;
    size_t n = p[1] & 127, head = n < 126 ? 2 : 4;
    if (n == 127 || p[1] & 128) return -1;
    if (have - at < head) break;
    if (n == 126) n = (size_t)(p[2] << 8 | p[3]);
    if (have - at < head + n) break;
    if (p[0] == 0x81) {
      if (!is_ping || !c->checked) check(c, p + head, n);
      count++;
    } else if (p[0] != 0x89) {
      return -1;
    }
    at += head + n;
  }
  c->used = (int)(have - at);
  if (at && c->used) memmove(c->input, c->input + at, c->used);
  return count;
}

static void readable(struct conn *c) {
  if (c->fd < 0) return;
  ssize_t n = recv(c->fd, c->input + c->used, INPUT - c->used, MSG_DONTWAIT);
  if (n < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (n > 0 && c->idle) { /* the server's ping, whole and without a payload of note */
    static const unsigned char pong[6] = {0x8a, 0x80};
    if (c->input[0] == 0x89 && send(c->fd, pong, 6, MSG_NOSIGNAL) == 6) return;
    n = 0;
  }
  if (n > 0) c->used += (int)n;
  int count = n > 0 ? answers(c) : -1;
  if (count < 0 || (size_t)count > c->flying) {
    lost++, close(c->fd), c->fd = -1;
    return;
  }
  if (count == 0) return;
  int64_t at = now();
  total += count;
  for (int i = 0; i < count;) { /* a batch was sent at one time, and is recorded at once */
    int64_t sent = c->sent[c->oldest], same = 0;
    for (; i < count && c->sent[c->oldest] == sent; i++, same++) c->oldest = (c->oldest + 1) % o.depth;
    c->flying -= (size_t)same;
    if (at >= measured_from) record(at - sent, same);
  }
  send_requests(c, count, at);
}

/* Connects and upgrades, one after the other; from 127.0.0.2 on where one address has too few ports. */
static void open_connection(struct conn *c, int number) {
  struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)o.port)}, from = to;
  to.sin_addr.s_addr = htonl(INADDR_LOOPBACK), from.sin_port = 0;
  from.sin_addr.s_addr = htonl(INADDR_LOOPBACK + number / PER_ADDRESS);
  char reply[1024], hello[256];
  int on = 1, used = 0, fd = socket(AF_INET, SOCK_STREAM, 0);
  /* The port is chosen with the peer known, so that ports of connections that ended may serve again. */
  setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on);
  if (fd < 0 || bind(fd, (struct sockaddr *)&from, sizeof from)) die("socket");
  if (connect(fd, (struct sockaddr *)&to, sizeof to)) die("connect");
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  int n = snprintf(hello, sizeof hello, "GET / HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nUpgrade: websocket\r\n"
    "Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
    "Sec-WebSocket-Version: 13\r\n\r\n", o.port);
  if (send(fd, hello, n, MSG_NOSIGNAL) != n) die("send");
  do {
    n = (int)recv(fd, reply + used, sizeof reply - 1 - used, 0);
    if (n <= 0) die("handshake");
    reply[used += n] = 0;
  } while (!strstr(reply, "\r\n\r\n"));
  if (strncmp(reply, "HTTP/1.1 101", 12)) { fprintf(stderr, "load: %s\n", reply); exit(1); }
  fcntl(fd, F_SETFL, O_NONBLOCK);
  c->fd = fd;
  struct epoll_event event = {.events = EPOLLIN, .data.ptr = c};
  epoll_ctl(poll_fd, EPOLL_CTL_ADD, fd, &event);
}

static void serve(int64_t until) {
  struct epoll_event events[256];
  for (int64_t left; (left = until - now()) > 0;) {
    int n = epoll_wait(poll_fd, events, 256, (int)(left / 1000000) + 1);
    for (int i = 0; i < n; i++) readable(events[i].data.ptr);
  }
}

int main(int argc, char **argv) {
  if (argc < 2) return fprintf(stderr, "usage: load PORT [options] [TASK-ID ...]\n"), 2;
  o.port = atoi(argv[1]);
  int i = 2;
  for (; i + 1 < argc && !strncmp(argv[i], "--", 2); i += 2) {
    const char *name = argv[i] + 2, *value = argv[i + 1];
    if (!strcmp(name, "mode")) o.mode = value;
    else if (!strcmp(name, "connections")) o.connections = atoi(value);
    else if (!strcmp(name, "in-flight")) o.depth = atoi(value);
    else if (!strcmp(name, "seconds")) o.seconds = atof(value);
    else if (!strcmp(name, "warmup")) o.warmup = atof(value);
    else if (!strcmp(name, "idle")) o.idle = atoi(value);
    else return fprintf(stderr, "load: there is no option --%s\n", name), 2;
  }
  is_ping = !strcmp(o.mode, "ping") || !strcmp(o.mode, "params");
  if (!strcmp(o.mode, "status") && i >= argc) return fprintf(stderr, "load: status needs a task\n"), 2;
  build(argv + i, argc - i);
  poll_fd = epoll_create1(0);
  struct conn *conns = calloc(o.connections + o.idle, sizeof *conns);
  unsigned char *shared = malloc(INPUT);
  for (int k = 0; k < o.idle; k++) {
    struct conn *c = &conns[o.connections + k];
    c->idle = 1, c->input = shared;
    open_connection(c, k);
  }
  if (o.idle) {
    printf("{\"idle\":%d}\n", o.idle), fflush(stdout);
    if (getchar() == EOF) return 1;
  }
  for (int k = 0; k < o.connections; k++) {
    conns[k].sent = calloc(o.depth, sizeof(int64_t)), conns[k].input = malloc(INPUT);
    conns[k].next = (size_t)k * o.depth % ring;
    open_connection(&conns[k], k);
  }
  for (int k = 0; k < o.connections; k++) send_requests(&conns[k], o.depth, now());
  serve(now() + (int64_t)(o.warmup * 1e9));
  double before = cpu();
  int64_t begin = measured_from = now();
  serve(begin + (int64_t)(o.seconds * 1e9));
  double took = (double)(now() - begin) / 1e9;
  printf("{\"answers\":%ld,\"total\":%ld,\"seconds\":%.3f,\"rate\":%.1f,\"p50_us\":%.1f,\"p99_us\":%.1f,"
    "\"p999_us\":%.1f,\"max_us\":%.1f,\"wrong\":%ld,\"lost\":%ld,\"load\":%.3f}\n", answered, total, took,
    (double)answered / took, percentile(0.5), percentile(0.99), percentile(0.999), (double)slowest / 1e3,
    wrong, lost, (cpu() - before) / took);
  return wrong || lost;
}
