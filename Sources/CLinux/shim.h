// Glibc's Swift import has no epoll, eventfd, timerfd, accept4, malloc_trim or thread names; this header
// gives them. _GNU_SOURCE is not defined here: the types would then differ from those Swift imports.
#pragma once
#if defined(__linux__)
#include <malloc.h>
#include <pthread.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <time.h>

extern int accept4(int, struct sockaddr *, socklen_t *, int);
extern int pthread_setname_np(pthread_t, const char *);

static inline int linux_accept(int fd, struct sockaddr *address, socklen_t *length) {
  return accept4(fd, address, length, SOCK_NONBLOCK | SOCK_CLOEXEC);
}
static inline int linux_eventfd(void) { return eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC); }
static inline int linux_timerfd(void) { return timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC); }
static inline int linux_timerfd_arm(int fd, long long nanoseconds) {
  struct itimerspec due = {{0, 0}, {nanoseconds / 1000000000, nanoseconds % 1000000000}};
  return timerfd_settime(fd, TFD_TIMER_ABSTIME, &due, 0);
}
static inline int linux_epoll_create(void) { return epoll_create1(EPOLL_CLOEXEC); }
static inline void linux_name_thread(const char *name) { pthread_setname_np(pthread_self(), name); }
#endif
