/* The three programs in one file, told apart by the name it was called by. Each of them alone would
   carry Swift's runtime, Foundation and ICU again, 60 MB every time. */
#include <string.h>

int omni_server_main(int argc, char **argv);
int mock_litellm_main(int argc, char **argv);
int omni_conformance_main(int argc, char **argv);

int main(int argc, char **argv) {
  const char *path = argc > 0 ? argv[0] : "";
  const char *slash = strrchr(path, '/');
  const char *name = slash ? slash + 1 : path;
  if (strcmp(name, "omni-server") == 0) return omni_server_main(argc, argv);
  if (strcmp(name, "mock-litellm") == 0) return mock_litellm_main(argc, argv);
  return omni_conformance_main(argc, argv);
}
