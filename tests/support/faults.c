/* Fails one file operation of a program, or all from one on: SQLite's way to test what a machine does to a program.
 * Loaded with LD_PRELOAD.
 *   FAULT       write:N, rename:N or sync:N (N from 1), with a + behind it for "and all that follow"
 *   FAULT_MARK  a file that is made when the fault comes, with the name of the file that was hit; a folder's ends with /
 * Only regular files and folders count: no terminals, pipes or sockets. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

static atomic_long n_so_far;

static int is_file(int fd) {
  struct stat found;
  return fstat(fd, &found) == 0 && (S_ISREG(found.st_mode) || S_ISDIR(found.st_mode));
}

static void mark(const char *name) {
  const char *path = getenv("FAULT_MARK");
  int fd = path ? (int)syscall(SYS_openat, AT_FDCWD, path, O_WRONLY | O_CREAT | O_EXCL, 0644) : -1;
  if (fd >= 0) {
    syscall(SYS_write, fd, name, strlen(name));
    syscall(SYS_close, fd);
  }
}

/* Whether this operation is to fail. */
static int fails(const char *kind, int fd, const char *path) {
  const char *fault = getenv("FAULT");
  size_t length = strlen(kind);
  if (!fault || strncmp(fault, kind, length) != 0 || fault[length] != ':' || (!path && !is_file(fd))) return 0;
  char *end;
  long wanted = strtol(fault + length + 1, &end, 10), found = atomic_fetch_add(&n_so_far, 1) + 1;
  if (found != wanted && !(*end == '+' && found > wanted)) return 0;
  char link[64], name[4096] = {0};
  if (!path) {
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, name, sizeof name - 2);
    struct stat found;
    if (length > 0 && fstat(fd, &found) == 0 && S_ISDIR(found.st_mode)) name[length] = '/';
    if (length > 0) path = name;
  }
  mark(path ? path : "?");
  return 1;
}

#define REAL(function) ((__typeof__(&function))dlsym(RTLD_NEXT, #function))
#define FAIL_IF(condition, code) \
  if (condition) {               \
    errno = code;                \
    return -1;                   \
  }

ssize_t write(int fd, const void *bytes, size_t n) {
  FAIL_IF(fails("write", fd, NULL), ENOSPC);
  return REAL(write)(fd, bytes, n);
}
ssize_t writev(int fd, const struct iovec *pieces, int n) {
  FAIL_IF(fails("write", fd, NULL), ENOSPC);
  return REAL(writev)(fd, pieces, n);
}
ssize_t pwrite64(int fd, const void *bytes, size_t n, off64_t place) {
  FAIL_IF(fails("write", fd, NULL), ENOSPC);
  return REAL(pwrite64)(fd, bytes, n, place);
}
int ftruncate64(int fd, off64_t length) {
  FAIL_IF(fails("write", fd, NULL), ENOSPC);
  return REAL(ftruncate64)(fd, length);
}
int rename(const char *from, const char *to) {
  FAIL_IF(fails("rename", -1, to), EIO);
  return REAL(rename)(from, to);
}
int fsync(int fd) {
  FAIL_IF(fails("sync", fd, NULL), EIO);
  return REAL(fsync)(fd);
}
int fdatasync(int fd) {
  FAIL_IF(fails("sync", fd, NULL), EIO);
  return REAL(fdatasync)(fd);
}
