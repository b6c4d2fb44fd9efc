/* Tries to get out of a container, one way after the other, and says how each ended: "NAME done" or "NAME ERRNO".
 *
 * Arguments are the names of the table below, "all" of them, or tries that depend on what is outside:
 *   device=b:7:0        make such a node and open it for reading
 *   read=PATH           read a byte of this file
 *   write=PATH          open this file for writing; nothing is written
 *   tcp=ADDRESS:PORT    connect, IPv4
 *   unix=PATH           connect; a leading @ means an abstract name
 *   signal=PID          send no signal, only ask whether it might
 *   trace=PID           attach to it, as a debugger does, and let go
 *
 * Everything is harmless where it is allowed: a privileged container runs the same, to show that a try is one. So calls that
 * would change the machine are made with an argument that the kernel refuses, after it has asked who is calling.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <linux/perf_event.h>
#include <poll.h>
#include <sched.h>
#include <stddef.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/time.h>
#include <sys/types.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static void tell(const char *name, long result)
{
	if (result >= 0)
		printf("%s done\n", name);
	else
		printf("%s %s\n", name, strerrorname_np(errno) ? strerrorname_np(errno) : "unknown");
}

static long opened(const char *path, int flags)
{
	int file = open(path, flags | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (file >= 0)
		close(file);
	return file;
}

/* Some tries change what the next ones see: each of these has a process of its own. */
static void apart(const char *name, long (*attempt)(void))
{
	fflush(stdout);
	pid_t child = fork();
	if (child == 0) {
		tell(name, attempt());
		fflush(stdout);
		_exit(0);
	}
	int status = 0;
	waitpid(child, &status, 0);
	if (WIFSIGNALED(status))
		printf("%s %s\n", name, sigabbrev_np(WTERMSIG(status)));
}

static long mount_tmpfs(void) { return mount("none", "/tmp", "tmpfs", 0, NULL); }
static long mount_proc(void) { return mount("proc", "/tmp", "proc", 0, NULL); }
static long mount_sysfs(void) { return mount("sysfs", "/tmp", "sysfs", 0, NULL); }
static long mount_cgroup(void) { return mount("cgroup", "/tmp", "cgroup2", 0, NULL); }
static long mount_bind(void) { return mount("/", "/tmp", NULL, MS_BIND, NULL); }
static long mount_writable(void) { return mount(NULL, "/proc/sys", NULL, MS_REMOUNT | MS_BIND, NULL); }
static long unmount_masked(void) { return umount2("/proc/kcore", MNT_DETACH); }
static long mount_new_way(void) { return syscall(SYS_fsopen, "tmpfs", 0); }
static long clone_tree(void) { return syscall(SYS_open_tree, AT_FDCWD, "/", 1 /* OPEN_TREE_CLONE */); }

static long pivot(void)
{
	unshare(CLONE_NEWNS); /* where that is allowed, the change of the root stays with this process */
	mount("/tmp", "/tmp", NULL, MS_BIND, NULL);
	return syscall(SYS_pivot_root, "/tmp", "/tmp");
}

static long unshare_user(void) { return unshare(CLONE_NEWUSER); }
static long unshare_mount(void) { return unshare(CLONE_NEWNS); }
static long unshare_net(void) { return unshare(CLONE_NEWNET); }
static long unshare_cgroup(void) { return unshare(CLONE_NEWCGROUP); }

static long clone_user(void)
{
	long child = syscall(SYS_clone, CLONE_NEWUSER | SIGCHLD, 0, 0, 0, 0);
	if (child == 0)
		_exit(0);
	return child;
}

static long clone3_user(void)
{
	unsigned long long arguments[8] = { CLONE_NEWUSER, 0, 0, 0, SIGCHLD };
	long child = syscall(SYS_clone3, arguments, sizeof arguments);
	if (child == 0)
		_exit(0);
	return child;
}

static long enter(const char *path, int kind)
{
	int file = open(path, O_RDONLY | O_CLOEXEC);
	return file < 0 ? file : setns(file, kind);
}

static long setns_mount(void) { return enter("/proc/1/ns/mnt", CLONE_NEWNS); }
static long setns_net(void) { return enter("/proc/1/ns/net", CLONE_NEWNET); }

/* The old way out of a chroot, which a container is not: its root is the root of its mounts. */
static long leave_root(void)
{
	mkdir("/tmp/deeper", 0755);
	int here = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (here < 0 || chroot("/tmp/deeper") < 0 || fchdir(here) < 0)
		return -1;
	for (int step = 0; step < 64; step++)
		if (chdir("..") < 0)
			return -1;
	if (chroot(".") < 0)
		return -1;
	struct stat before, after;
	if (fstat(here, &before) < 0 || stat("/", &after) < 0)
		return -1;
	errno = EXDEV; /* nowhere else */
	return before.st_dev == after.st_dev && before.st_ino == after.st_ino ? -1 : 0;
}

static long add_to_ring(void) { return syscall(SYS_add_key, "user", "escape", "x", 1, -5); }
static long ask_ring(void) { return syscall(SYS_request_key, "user", "escape", NULL, 0); }
static long control_ring(void) { return syscall(SYS_keyctl, 0 /* GET_KEYRING_ID */, -5, 1); }

static long load_bpf(void)
{
	union bpf_attr attributes = {
		.map_type = BPF_MAP_TYPE_ARRAY, .key_size = 4, .value_size = 4, .max_entries = 1
	};
	return syscall(SYS_bpf, BPF_MAP_CREATE, &attributes, sizeof attributes);
}

static long watch_machine(void)
{
	struct perf_event_attr attributes = {
		.type = PERF_TYPE_SOFTWARE, .size = sizeof attributes, .config = PERF_COUNT_SW_CPU_CLOCK
	};
	return syscall(SYS_perf_event_open, &attributes, -1, 0, -1, 0);
}

static long by_handle(void)
{
	struct file_handle *handle = calloc(1, sizeof *handle + 8);
	handle->handle_bytes = 8;
	handle->handle_type = 1;
	int here = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return open_by_handle_at(here, handle, O_RDONLY);
}

static long load_kernel(void) { return syscall(SYS_kexec_load, 0, 0, NULL, ~0UL); }
static long load_module(void) { return syscall(SYS_init_module, NULL, 0, ""); }
static long load_module_file(void) { return syscall(SYS_finit_module, -1, "", 0); }
static long remove_module(void) { return syscall(SYS_delete_module, "no-such-module", O_NONBLOCK); }
static long restart_machine(void) { return syscall(SYS_reboot, 0, 0, 0, NULL); }
static long swap_on(void) { return syscall(SYS_swapon, "/no-such-file", 0); }
static long account(void) { return syscall(SYS_acct, "/no-such-file"); }
static long quota(void) { return syscall(SYS_quotactl, 0x80000100, NULL, 0, NULL); }
static long kernel_log(void) { return syscall(SYS_syslog, 10 /* SIZE_BUFFER */, NULL, 0); }
static long clock_set(void)
{
	struct timespec never = { .tv_sec = 0, .tv_nsec = 2000000000 };
	return syscall(SYS_clock_settime, CLOCK_REALTIME, &never);
}
static long page_faults(void) { return syscall(SYS_userfaultfd, O_CLOEXEC); }

static long rename_host(void)
{
	char name[65];
	return gethostname(name, sizeof name) < 0 ? -1 : sethostname(name, strlen(name));
}


static long raise_limit(void) { return nice(-1) == -1 && errno ? -1 : 0; }
static long vsock(void) { return socket(AF_VSOCK, SOCK_STREAM, 0); }
static long ring(void) { return syscall(SYS_io_uring_setup, 1, NULL); }

#ifdef __x86_64__
static long ports(void) { return syscall(SYS_iopl, 3); }
#endif

static const struct {
	const char *name;
	long (*attempt)(void);
} ATTEMPTS[] = {
	{ "mount-tmpfs", mount_tmpfs },		{ "mount-proc", mount_proc },
	{ "mount-sysfs", mount_sysfs },		{ "mount-cgroup", mount_cgroup },
	{ "mount-bind", mount_bind },		{ "remount-proc-sys", mount_writable },
	{ "unmount-masked", unmount_masked },	{ "fsopen", mount_new_way },
	{ "open-tree", clone_tree },		{ "pivot-root", pivot },
	{ "unshare-user", unshare_user },	{ "unshare-mount", unshare_mount },
	{ "unshare-net", unshare_net },		{ "unshare-cgroup", unshare_cgroup },
	{ "clone-user", clone_user },		{ "clone3-user", clone3_user },
	{ "setns-mount", setns_mount },		{ "setns-net", setns_net },
	{ "add-key", add_to_ring },		{ "request-key", ask_ring },
	{ "keyctl", control_ring },		{ "bpf", load_bpf },
	{ "perf", watch_machine },		{ "open-by-handle", by_handle },
	{ "kexec", load_kernel },		{ "init-module", load_module },
	{ "finit-module", load_module_file },	{ "delete-module", remove_module },
	{ "reboot", restart_machine },		{ "swapon", swap_on },
	{ "acct", account },			{ "quotactl", quota },
	{ "syslog", kernel_log },		{ "clock-settime", clock_set },
	{ "userfaultfd", page_faults },		{ "sethostname", rename_host },
	{ "nice", raise_limit },		{ "vsock", vsock },
	{ "io-uring", ring },			{ "chroot", leave_root },
#ifdef __x86_64__
	{ "iopl", ports },
#endif
};

static long device(char *words)
{
	char kind = words[0];
	unsigned int high, low;
	if (sscanf(words + 1, ":%u:%u", &high, &low) != 2)
		exit(2);
	unlink("/tmp/node");
	if (mknod("/tmp/node", (kind == 'b' ? S_IFBLK : S_IFCHR) | 0600, makedev(high, low)) < 0)
		return -1;
	long result = opened("/tmp/node", O_RDONLY);
	int kept = errno;
	unlink("/tmp/node");
	errno = kept;
	return result;
}

static long byte_of(const char *path)
{
	char byte;
	int file = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (file < 0)
		return file;
	long count = read(file, &byte, 1);
	close(file);
	errno = ENODATA;
	return count == 1 ? 0 : -1;
}

static long reach(int family, const struct sockaddr *address, socklen_t length)
{
	int end = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	long result = connect(end, address, length);
	if (result < 0 && errno == EINPROGRESS) {
		struct pollfd waiting = { .fd = end, .events = POLLOUT };
		int error = ETIMEDOUT;
		socklen_t size = sizeof error;
		if (poll(&waiting, 1, 1000) == 1)
			getsockopt(end, SOL_SOCKET, SO_ERROR, &error, &size);
		errno = error;
		result = error ? -1 : 0;
	}
	int kept = errno;
	close(end);
	errno = kept;
	return result;
}

static long reach_tcp(char *words)
{
	char *colon = strrchr(words, ':');
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons(atoi(colon + 1)) };
	*colon = 0;
	if (inet_pton(AF_INET, words, &address.sin_addr) != 1)
		exit(2);
	*colon = ':';
	return reach(AF_INET, (struct sockaddr *)&address, sizeof address);
}

static long reach_unix(const char *name)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	const char *slash = strrchr(name, '/');
	if (slash) { /* an address has room for a short path only */
		char folder[4096];
		snprintf(folder, sizeof folder, "%.*s", (int)(slash - name) + 1, name);
		if (chdir(folder) < 0)
			return -1;
		name = slash + 1;
	}
	strncpy(address.sun_path, name, sizeof address.sun_path - 1);
	if (name[0] == '@')
		address.sun_path[0] = 0;
	socklen_t length = offsetof(struct sockaddr_un, sun_path) + strlen(name);
	return reach(AF_UNIX, (struct sockaddr *)&address, length);
}

static void asked(char *words)
{
	char *value = strchr(words, '=');
	if (!value)
		exit(2);
	value++;
	long result;
	if (!strncmp(words, "device=", 7))
		result = device(value);
	else if (!strncmp(words, "read=", 5))
		result = byte_of(value);
	else if (!strncmp(words, "write=", 6))
		result = opened(value, O_WRONLY);
	else if (!strncmp(words, "tcp=", 4))
		result = reach_tcp(value);
	else if (!strncmp(words, "unix=", 5))
		result = reach_unix(value);
	else if (!strncmp(words, "signal=", 7))
		result = kill(atoi(value), 0);
	else if (!strncmp(words, "trace=", 6))
		result = ptrace(PTRACE_SEIZE, atoi(value), NULL, NULL);
	else
		exit(2);
	tell(words, result);
}

int main(int count, char **words)
{
	for (int at = 1; at < count; at++) {
		int all = !strcmp(words[at], "all");
		for (size_t row = 0; row < sizeof ATTEMPTS / sizeof *ATTEMPTS; row++)
			if (all || !strcmp(words[at], ATTEMPTS[row].name))
				apart(ATTEMPTS[row].name, ATTEMPTS[row].attempt);
		if (strchr(words[at], '='))
			asked(words[at]);
	}
	return 0;
}
