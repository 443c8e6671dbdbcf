/* Asks an HTTP server for completions and tells what came, as one line of JSON.
 *
 *   httpload PORT plain CONNECTIONS SECONDS        one request in flight on each kept connection
 *   httpload PORT streams CONNECTIONS TOKENS RATE  one stream on each; how late its last token was
 *
 * One thread, epoll. Every answer is checked: 200, and its end as Content-Length or [DONE] says it. */
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <netinet/tcp.h>
#include <time.h>
#include <unistd.h>

struct connection {
  int fd, done;
  size_t filled;
  double asked;
  char buffer[8192];
};

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec + t.tv_nsec / 1e9;
}

static void fail(const char *why) {
  fprintf(stderr, "httpload: %s\n", why);
  exit(1);
}

static int ascending(const void *a, const void *b) {
  double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

static char request[1024];
static size_t request_length;

static void prepare(int streams) {
  const char *body =
      streams ? "{\"model\":\"gpt-4o-mini\",\"stream\":true,\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}]}"
              : "{\"model\":\"gpt-4o-mini\",\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}]}";
  request_length = (size_t)snprintf(request, sizeof request,
                                    "POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\n"
                                    "Authorization: Bearer sk-bench\r\nContent-Type: application/json\r\n"
                                    "Content-Length: %zu\r\n\r\n%s",
                                    strlen(body), body);
}

static void ask(struct connection *c) {
  c->filled = 0;
  c->asked = now();
  if (send(c->fd, request, request_length, MSG_NOSIGNAL) != (ssize_t)request_length) fail("a request could not be sent");
}

static void dial(struct connection *c, int port, int poll) {
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((unsigned short)port)};
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  int on = 1;
  c->fd = socket(AF_INET, SOCK_STREAM, 0);
  if (c->fd < 0 || connect(c->fd, (struct sockaddr *)&address, sizeof address) != 0) fail("no connection");
  setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  struct epoll_event event = {.events = EPOLLIN, .data.ptr = c};
  epoll_ctl(poll, EPOLL_CTL_ADD, c->fd, &event);
}

/* Whether the whole answer is in the buffer. */
static int is_whole(struct connection *c) {
  c->buffer[c->filled] = 0;
  char *end = strstr(c->buffer, "\r\n\r\n");
  if (!end) return 0;
  if (strncmp(c->buffer, "HTTP/1.1 200", 12) != 0) fail("a status other than 200");
  char *length = strcasestr(c->buffer, "content-length: ");
  if (!length || length > end) fail("an answer without Content-Length");
  return c->filled >= (size_t)(end + 4 - c->buffer) + strtoul(length + 16, NULL, 10);
}

/* Reads what is there of a stream; keeps only the last bytes, which tell its end. */
static int stream_ended(struct connection *c) {
  static char bytes[65536];
  ssize_t count = recv(c->fd, bytes, sizeof bytes, MSG_DONTWAIT);
  if (count < 0 && errno == EAGAIN) return 0;
  if (count <= 0) fail("a stream broke off");
  if (c->done == 0 && strncmp(bytes, "HTTP/1.1 200", 12) != 0) fail("a status other than 200");
  c->done = 1;
  size_t keep = 64;
  if ((size_t)count >= keep) {
    memcpy(c->buffer, bytes + count - keep, keep);
    c->filled = keep;
  } else {
    if (c->filled + (size_t)count > keep) {
      size_t drop = c->filled + (size_t)count - keep;
      memmove(c->buffer, c->buffer + drop, c->filled - drop);
      c->filled -= drop;
    }
    memcpy(c->buffer + c->filled, bytes, (size_t)count);
    c->filled += (size_t)count;
  }
  return memmem(c->buffer, c->filled, "\r\n0\r\n\r\n", 7) != NULL;
}

static double part(double *values, long count, double share) {
  long place = (long)(share * (double)count);
  return count ? values[place < count ? place : count - 1] : 0;
}

int main(int argc, char **argv) {
  if (argc < 5) fail("usage: PORT plain CONNECTIONS SECONDS | PORT streams CONNECTIONS TOKENS RATE");
  int port = atoi(argv[1]), streams = strcmp(argv[2], "streams") == 0, count = atoi(argv[3]);
  if (streams && argc < 6) fail("streams takes TOKENS and RATE");
  double seconds = atof(argv[4]), expected = streams ? (seconds - 1) / atof(argv[5]) : 0;
  int poll = epoll_create1(0);
  struct connection *all = calloc((size_t)count, sizeof *all);
  long limit = streams ? count : 20000000, answers = 0;
  double *samples = malloc((size_t)limit * sizeof *samples);
  prepare(streams);
  for (int i = 0; i < count; i++) dial(&all[i], port, poll);
  double begin = now();
  for (int i = 0; i < count; i++) ask(&all[i]);
  while (answers < limit && (streams || now() - begin < seconds)) {
    struct epoll_event events[256];
    int ready = epoll_wait(poll, events, 256, 60000);
    if (ready == 0) fail("nothing came for a minute");
    for (int i = 0; i < ready && answers < limit; i++) {
      struct connection *c = events[i].data.ptr;
      if (streams) {
        if (!stream_ended(c)) continue;
        samples[answers++] = now() - c->asked - expected;
        epoll_ctl(poll, EPOLL_CTL_DEL, c->fd, NULL);
        continue;
      }
      ssize_t got = recv(c->fd, c->buffer + c->filled, sizeof c->buffer - 1 - c->filled, MSG_DONTWAIT);
      if (got < 0 && errno == EAGAIN) continue;
      if (got <= 0) fail("a connection broke off");
      c->filled += (size_t)got;
      if (!is_whole(c)) continue;
      samples[answers++] = now() - c->asked;
      ask(c);
    }
  }
  double took = now() - begin;
  struct rusage used;
  getrusage(RUSAGE_SELF, &used);
  double cpu = (double)(used.ru_utime.tv_sec + used.ru_stime.tv_sec) + (double)(used.ru_utime.tv_usec + used.ru_stime.tv_usec) / 1e6;
  qsort(samples, (size_t)answers, sizeof *samples, ascending);
  printf("{\"answers\":%ld,\"seconds\":%.3f,\"rate\":%.1f,\"p50_us\":%.0f,\"p99_us\":%.0f,\"max_us\":%.0f,\"load\":%.3f}\n",
         answers, took, (double)answers / took, part(samples, answers, 0.5) * 1e6, part(samples, answers, 0.99) * 1e6,
         part(samples, answers, 1) * 1e6, cpu / took);
  return 0;
}
