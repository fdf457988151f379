#include "supervisor/run_command.h"

#include "supervisor/argument_list.h"

#include "common/unique_fd.h"

#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <array>
#include <csignal>

namespace plugfs {

namespace {

constexpr std::size_t output_limit = 4096;

// Reads until the other side closes; false at the deadline.
bool read_all(int fd, Deadline deadline, std::string& output) {
    while (true) {
        pollfd ready{fd, POLLIN, 0};
        const int count = ::poll(&ready, 1, deadline.remaining_ms());
        if (count == 0) {
            return false;
        }
        std::array<char, 1024> buffer{};
        const ssize_t length = ::read(fd, buffer.data(), buffer.size());
        if (length == 0 || (length < 0 && errno != EINTR)) {
            return true;
        }
        if (length > 0 && output.size() < output_limit) {
            output.append(buffer.data(), static_cast<std::size_t>(length));
        }
    }
}

}  // namespace

Result<std::string> run_command(const Command& command, Deadline deadline) {
    int ends[2] = {-1, -1};
    if (::pipe2(ends, O_CLOEXEC) != 0) {
        return fail(errno, command.arguments.front(), "pipe");
    }
    const UniqueFd output_end(ends[0]);
    UniqueFd input_end(ends[1]);

    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_adddup2(&actions, input_end.get(), 1);
    posix_spawn_file_actions_adddup2(&actions, input_end.get(), 2);
    std::vector<std::string> variables;
    for (char** variable = environ; *variable != nullptr; ++variable) {
        variables.emplace_back(*variable);
    }
    if (command.inherited >= 0) {
        constexpr int child_number = 3;
        posix_spawn_file_actions_adddup2(&actions, command.inherited, child_number);
        variables.push_back(command.inherited_variable + "=" + std::to_string(child_number));
    }
    auto arguments = command.arguments;
    const auto argument_pointers = argument_list(arguments);
    const auto variable_pointers = argument_list(variables);
    pid_t pid = -1;
    const int status = ::posix_spawnp(&pid, arguments.front().c_str(), &actions, nullptr, argument_pointers.data(),
                                      variable_pointers.data());
    posix_spawn_file_actions_destroy(&actions);
    if (status != 0) {
        return fail(status, command.arguments.front(), status == ENOENT ? "is not installed" : "cannot be started");
    }
    input_end.reset();
    std::string output;
    const bool in_time = read_all(output_end.get(), deadline, output);
    if (!in_time) {
        (void)::kill(pid, SIGKILL);
    }
    int exit_status = 0;
    while (::waitpid(pid, &exit_status, 0) < 0 && errno == EINTR) {
    }
    if (!in_time) {
        return fail(ETIMEDOUT, command.arguments.front());
    }
    if (exit_status != 0) {
        while (output.ends_with('\n')) {
            output.pop_back();
        }
        return fail(EIO, command.arguments.front(), output.empty() ? "failed" : output);
    }
    return output;
}

}  // namespace plugfs
