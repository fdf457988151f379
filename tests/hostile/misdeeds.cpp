#include "misdeeds.h"

#include "common/vault.h"
#include "common/worker_contract.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <random>
#include <thread>
#include <vector>

namespace plugfs::hostile {

namespace {

constexpr std::size_t message_count = 100'000;
constexpr std::size_t log_bytes = std::size_t{64} << 20U;

Result<void> send(const std::string& text) {
    while (::send(worker::control_fd, text.data(), text.size(), MSG_NOSIGNAL) < 0) {
        if (errno != EAGAIN) {
            return fail(errno, "send", std::to_string(text.size()) + " bytes");
        }
        pollfd ready{worker::control_fd, POLLOUT, 0};
        (void)::poll(&ready, 1, 1000);
    }
    return {};
}

Result<void> flood_messages(Host& /*host*/) {
    for (std::size_t i = 0; i < message_count; ++i) {
        PLUGFS_TRY(
            send(i % 2 == 0 ? R"({"type":"ready","driver":"x","version":"y"})" : R"({"type":"nothing","n":[1,2,3]})"));
    }
    return {};
}

Result<void> long_message(Host& /*host*/) {
    return send(R"({"type":")" + std::string(std::size_t{100} << 10U, 'x') + "\"}");
}

Result<void> bad_message(Host& /*host*/) {
    return send("{\"type\": \xff\xfe");
}

// Every field that the supervisor looks at, of another type than it should be.
Result<void> odd_messages(Host& /*host*/) {
    for (const char* text :
         {R"({"type":"ready","version":[1],"sandbox":"no"})", R"({"type":"ready","sandbox":{"landlock":{"a":1}}})",
          R"({"type":"identity","vendor_id":-1,"interfaces":{}})", R"({"type":"failed ","code":"x"})",
          R"({"type":"sandbox","layers":[[[]]]})", R"({"type":""})"}) {
        PLUGFS_TRY(send(text));
    }
    // Deep, and yet short.
    return send("{\"type\":\"deep\",\"x\":" + std::string(8000, '[') + std::string(8000, ']') + "}");
}

Result<void> flood_log(Host& /*host*/) {
    const std::string line(100, '\x1b');
    const std::string endless(100'000, 'x');
    for (std::size_t written = 0; written < log_bytes; written += line.size() * 1000) {
        std::string block;
        for (int i = 0; i < 1000; ++i) {
            block += line + (i % 100 == 0 ? "\n" : "");
        }
        if (::write(STDERR_FILENO, block.data(), block.size()) < 0) {
            return fail(errno, "log");
        }
    }
    (void)!::write(STDERR_FILENO, endless.data(), endless.size());
    return {};
}

// The whole of it, random bytes, while the kit serves from it; and dies.
Result<void> fill_vault(Host& /*host*/) {
    // The kit's own mapping: the one whose first word is the vault's.
    void* base = ::mmap(nullptr, vault_size, PROT_READ | PROT_WRITE, MAP_SHARED, worker::vault_fd, 0);
    std::mt19937_64 random(1);
    if (base != MAP_FAILED) {
        auto* words = static_cast<std::uint64_t*>(base);
        for (std::size_t i = 0; i < node_areas_offset / sizeof *words; ++i) {
            words[i] = random();
        }
    } else {
        // No more mappings once the driver has started: by write(2), then.
        std::vector<std::uint64_t> words(node_areas_offset / sizeof(std::uint64_t));
        std::generate(words.begin(), words.end(), random);
        if (::pwrite(worker::vault_fd, words.data(), words.size() * sizeof words[0], 0) < 0) {
            return fail(errno, "vault");
        }
    }
    ::_exit(1);
}

Result<void> eat_memory(Host& /*host*/) {
    std::vector<std::vector<char>> hoard;
    for (std::size_t taken = 0; taken < std::size_t{8} << 30U; taken += std::size_t{16} << 20U) {
        hoard.emplace_back(std::size_t{16} << 20U, char{1});
    }
    return {};
}

Result<void> make_threads(Host& /*host*/) {
    std::vector<std::thread> threads;
    for (int i = 0; i < 10'000; ++i) {
        threads.emplace_back([] { ::pause(); });
    }
    return {};
}

// As fast as it can, for ever, what it was not asked for: replies to requests with all numbers there could be.
Result<void> answer_unasked(Host& /*host*/) {
    struct {
        std::uint32_t length = 16;
        std::int32_t error = -5;
        std::uint64_t unique = 0;
    } reply;
    for (std::uint64_t i = 0; i < 200'000; ++i) {
        reply.unique = i << 40U;
        (void)!::write(worker::fuse_fd, &reply, sizeof reply);
    }
    return {};
}

}  // namespace

std::vector<Misdeed> all_misdeeds() {
    return {{"flood-messages", flood_messages}, {"long-message", long_message}, {"bad-message", bad_message},
            {"odd-messages", odd_messages},     {"flood-log", flood_log},       {"fill-vault", fill_vault},
            {"eat-memory", eat_memory},         {"make-threads", make_threads}, {"answer-unasked", answer_unasked}};
}

}  // namespace plugfs::hostile
