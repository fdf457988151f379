// What the kernel offers besides files, processes and sockets.

#include "escape.h"

#include "common/worker_contract.h"

#include <fcntl.h>
#include <linux/bpf.h>
#include <linux/keyctl.h>
#include <linux/perf_event.h>
#include <linux/usbdevice_fs.h>
#include <sys/ioctl.h>
#include <sys/ipc.h>
#include <sys/mount.h>
#include <sys/msg.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>

#if defined(__x86_64__) || defined(__i386__)
#include <sys/io.h>
#endif

namespace plugfs::hostile {

namespace {

int descriptor(long fd, std::initializer_list<int> entitled = {}) {
    const int result = outcome(fd, entitled);
    if (fd >= 0) {
        ::close(static_cast<int>(fd));
    }
    return result;
}

int mount_something(const Target& target) {
    const std::string place = target.folder + "/mount";
    const int result = outcome(::mount("none", place.c_str(), "tmpfs", 0, nullptr));
    if (result == 0) {
        (void)::umount2(place.c_str(), MNT_DETACH);
    }
    return result;
}

int make_bpf_map(const Target& /*target*/) {
    bpf_attr attributes{};
    attributes.map_type = BPF_MAP_TYPE_ARRAY;
    attributes.key_size = 4;
    attributes.value_size = 4;
    attributes.max_entries = 1;
    return descriptor(::syscall(SYS_bpf, BPF_MAP_CREATE, &attributes, sizeof attributes));
}

int watch_performance(const Target& /*target*/) {
    perf_event_attr attributes{};
    attributes.type = PERF_TYPE_SOFTWARE;
    attributes.size = sizeof attributes;
    attributes.config = PERF_COUNT_SW_CPU_CLOCK;
    return descriptor(::syscall(SYS_perf_event_open, &attributes, 0, -1, -1, 0));
}

int set_up_ring(const Target& /*target*/) {
    std::array<unsigned char, 120> parameters{};
    return descriptor(::syscall(SYS_io_uring_setup, 4, parameters.data()));
}

int shared_memory(const Target& /*target*/) {
    const int id = ::shmget(IPC_PRIVATE, 4096, IPC_CREAT | 0600);
    const int result = outcome(id);
    (void)::shmctl(id, IPC_RMID, nullptr);
    return result;
}

int message_queue(const Target& /*target*/) {
    const int id = ::msgget(IPC_PRIVATE, IPC_CREAT | 0600);
    const int result = outcome(id);
    (void)::msgctl(id, IPC_RMID, nullptr);
    return result;
}

int semaphores(const Target& /*target*/) {
    const int id = ::semget(IPC_PRIVATE, 1, IPC_CREAT | 0600);
    const int result = outcome(id);
    (void)::semctl(id, 0, IPC_RMID);
    return result;
}

int name_machine(const Target& /*target*/) {
    std::array<char, 256> name{};
    (void)::gethostname(name.data(), name.size() - 1);
    return outcome(::sethostname(name.data(), std::strlen(name.data())));
}

// Its flags are the supervisor's, too: a read(2) there would wait, and with it everybody. (They are what they were.)
int change_fuse_flags(const Target& /*target*/) {
    return outcome(::fcntl(worker::fuse_fd, F_SETFL, O_RDWR | O_NONBLOCK));
}

int change_fuse_flags_by_ioctl(const Target& /*target*/) {
    int on = 1;
    return outcome(::ioctl(worker::fuse_fd, FIONBIO, &on));
}

int reset_other_device(const Target& /*target*/) {
    return outcome(::ioctl(worker::vault_fd, USBDEVFS_RESET), {ENOTTY});
}

}  // namespace

std::vector<Escape> escapes_to_kernel() {
    std::vector<Escape> escapes = {
        {"mount a file system", mount_something},
        {"unmount a file system",
         [](const Target& target) { return outcome(::umount2((target.folder + "/mount").c_str(), 0), {EINVAL}); }},
        {"swap the root", [](const Target&) { return outcome(::syscall(SYS_pivot_root, "/n", "/n"), {ENOENT}); }},
        {"open a file system to mount", [](const Target&) { return descriptor(::syscall(SYS_fsopen, "tmpfs", 0)); }},
        {"copy a mount", [](const Target&) { return descriptor(::syscall(SYS_open_tree, AT_FDCWD, "/", 1)); }},
        {"io_uring", set_up_ring},
        {"bpf", make_bpf_map},
        {"perf events", watch_performance},
        {"userfaultfd", [](const Target&) { return descriptor(::syscall(SYS_userfaultfd, O_CLOEXEC)); }},
        {"an unnamed file in memory", [](const Target&) { return descriptor(::syscall(SYS_memfd_create, "m", 0)); }},
        {"add a key",
         [](const Target&) {
             return outcome(::syscall(SYS_add_key, "user", "plugfs", "x", 1, KEY_SPEC_PROCESS_KEYRING));
         }},
        {"look for keys",
         [](const Target&) {
             return outcome(::syscall(SYS_keyctl, KEYCTL_GET_KEYRING_ID, KEY_SPEC_SESSION_KEYRING, 1));
         }},
        {"shared memory (System V)", shared_memory},
        {"a message queue (System V)", message_queue},
        {"semaphores (System V)", semaphores},
        {"load a module",
         [](const Target&) {
             return outcome(::syscall(SYS_init_module, nullptr, 0, ""), {ENOEXEC, EFAULT});
         }},
        {"restart the machine",
         [](const Target&) { return outcome(::syscall(SYS_reboot, 0, 0, 0, nullptr), {EINVAL}); }},
        {"swap to a file", [](const Target&) { return outcome(::syscall(SYS_swapon, "/nowhere", 0), {ENOENT}); }},
        {"name the machine", name_machine},
        {"read the kernel's log",
         [](const Target&) {
             std::array<char, 64> text{};
             return outcome(::syscall(SYS_syslog, 3, text.data(), text.size()));
         }},
        {"reset another device (an ioctl on another descriptor)", reset_other_device},
        {"change /dev/fuse's flags", change_fuse_flags},
        {"change /dev/fuse's flags (ioctl)", change_fuse_flags_by_ioctl},
        {"shrink the vault", [](const Target&) { return outcome(::ftruncate(worker::vault_fd, 4096)); }},
    };
#if defined(__x86_64__) || defined(__i386__)
    escapes.push_back({"use ports of the machine", [](const Target&) { return outcome(::ioperm(0x80, 1, 1)); }});
#endif
    return escapes;
}

}  // namespace plugfs::hostile
