/* The bare loop: rows of the size of a task into SQLite, so many in each transaction, each transaction
   on disk before the next begins. Prints one line of JSON.
   commit FILE ROWS-A-TRANSACTION SECONDS [UNIQUE], UNIQUE 0 leaves out the index of the ids */
#include <sqlite3.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* The columns of Sources/TaskStore/Schema.swift. The ids have the index that most would give them; the
   server does without, so UNIQUE 0 is how fast its own table can be written. */
static const char *schema =
  "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;"
  "CREATE TABLE tasks (seq INTEGER PRIMARY KEY, id TEXT NOT NULL,"
  " description TEXT NOT NULL, type TEXT NOT NULL, state TEXT NOT NULL, created_at INTEGER NOT NULL,"
  " updated_at INTEGER NOT NULL, executor TEXT NOT NULL, model TEXT NOT NULL, complexity INTEGER NOT NULL,"
  " attempts INTEGER NOT NULL DEFAULT 0, idempotency_key TEXT, history TEXT, result TEXT,"
  " truncated INTEGER NOT NULL DEFAULT 0, error TEXT, error_info TEXT, wake_at INTEGER,"
  " is_old INTEGER NOT NULL DEFAULT 0) STRICT;"
  "CREATE INDEX tasks_by_state ON tasks (state);"
  "CREATE UNIQUE INDEX tasks_by_key ON tasks (idempotency_key) WHERE idempotency_key IS NOT NULL;";
static const char *unique = "CREATE UNIQUE INDEX tasks_by_id ON tasks (id);";
static const char *insert =
  "INSERT INTO tasks (id, description, type, state, created_at, updated_at, executor, model, complexity)"
  " VALUES (?, ?, 'general', 'idle', ?, ?, 'litellm', 'claude-3-5-haiku', 35)";
static const char *description = "tell the people of the harbour when the next ship leaves";

static sqlite3 *db;

static void check(int code) {
  if (code == SQLITE_OK || code == SQLITE_DONE) return;
  fprintf(stderr, "commit: %s\n", sqlite3_errmsg(db));
  exit(1);
}

static int64_t milliseconds(clockid_t clock) {
  struct timespec t;
  clock_gettime(clock, &t);
  return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* A random UUID of version 4, as text; SplitMix64 is random enough to spread an index. */
static void uuid(char text[37]) {
  static uint64_t state = 88172645463325252u;
  uint64_t half[2];
  for (int i = 0; i < 2; i++) {
    uint64_t z = state += 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u, z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    half[i] = z ^ z >> 31;
  }
  snprintf(text, 37, "%08x-%04x-4%03x-a%03x-%012llx", (unsigned)(half[0] >> 32), (unsigned)(half[0] >> 16 & 0xffff),
    (unsigned)(half[0] & 0xfff), (unsigned)(half[1] >> 48 & 0xfff), (unsigned long long)(half[1] & 0xffffffffffff));
}

int main(int argc, char **argv) {
  if (argc < 4) return fprintf(stderr, "usage: commit FILE ROWS-A-TRANSACTION SECONDS [UNIQUE]\n"), 2;
  int batch = atoi(argv[2]);
  double seconds = atof(argv[3]);
  check(sqlite3_open(argv[1], &db));
  check(sqlite3_exec(db, schema, NULL, NULL, NULL));
  if (argc == 4 || atoi(argv[4]) != 0) check(sqlite3_exec(db, unique, NULL, NULL, NULL));
  sqlite3_stmt *begin, *row, *commit;
  check(sqlite3_prepare_v2(db, "BEGIN IMMEDIATE", -1, &begin, NULL));
  check(sqlite3_prepare_v2(db, insert, -1, &row, NULL));
  check(sqlite3_prepare_v2(db, "COMMIT", -1, &commit, NULL));
  int64_t start = milliseconds(CLOCK_MONOTONIC), end = start + (int64_t)(seconds * 1000), rows = 0, at;
  while ((at = milliseconds(CLOCK_MONOTONIC)) < end) {
    check(sqlite3_step(begin)), check(sqlite3_reset(begin));
    for (int i = 0; i < batch; i++, rows++) {
      char id[37];
      uuid(id);
      int64_t time = milliseconds(CLOCK_REALTIME);
      sqlite3_bind_text(row, 1, id, 36, SQLITE_TRANSIENT);
      sqlite3_bind_text(row, 2, description, -1, SQLITE_STATIC);
      sqlite3_bind_int64(row, 3, time), sqlite3_bind_int64(row, 4, time);
      check(sqlite3_step(row)), check(sqlite3_reset(row));
    }
    check(sqlite3_step(commit)), check(sqlite3_reset(commit));
  }
  printf("{\"rows\":%lld,\"rate\":%.1f}\n", (long long)rows, (double)rows * 1000 / (double)(at - start));
  return 0;
}
