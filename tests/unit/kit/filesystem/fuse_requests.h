// Requests of a kernel that there is none of: a libfuse session that is fed by hand, and what it answers.
#pragma once

#include "kit/session.h"

#include <linux/fuse.h>
#include <sys/eventfd.h>
#include <sys/uio.h>

#include <doctest/doctest.h>

#include <cstring>
#include <map>
#include <span>
#include <string>
#include <vector>

namespace plugfs::test {

class FuseRequests {
  public:
    FuseRequests() {
        std::string name = "test";
        char* arguments[] = {name.data(), nullptr};
        fuse_args args = FUSE_ARGS_INIT(1, arguments);
        fuse_lowlevel_ops operations{};
        operations.lookup = [](fuse_req_t request, fuse_ino_t /*parent*/, const char* /*name*/) {
            static_cast<FuseRequests*>(fuse_req_userdata(request))->latest_ = request;
        };
        session_ = fuse_session_new(&args, &operations, sizeof operations, this);
        fuse_opt_free_args(&args);
        REQUIRE(session_ != nullptr);
        fuse_custom_io io{};
        io.writev = [](int /*fd*/, iovec* parts, int count, void* self) {
            return static_cast<FuseRequests*>(self)->take_reply({parts, static_cast<std::size_t>(count)});
        };
        io.read = [](int /*fd*/, void* /*buffer*/, size_t /*size*/, void* /*self*/) -> ssize_t { return 0; };
        REQUIRE(fuse_session_custom_io(session_, &io, ::eventfd(0, EFD_CLOEXEC)) == 0);
        fuse_init_in init{};
        init.major = FUSE_KERNEL_VERSION;
        init.minor = 31;
        send(FUSE_INIT, std::as_bytes(std::span(&init, 1)));
    }
    ~FuseRequests() { fuse_session_destroy(session_); }
    FuseRequests(const FuseRequests&) = delete;
    FuseRequests& operator=(const FuseRequests&) = delete;

    // A request that waits for its answer.
    fuse_req_t make() {
        constexpr char name[] = "name";
        send(FUSE_LOOKUP, std::as_bytes(std::span(name)));
        uniques_[latest_] = unique_;
        return latest_;
    }
    // A signal has come for whoever waits for it.
    void interrupt(fuse_req_t request) {
        fuse_interrupt_in body{};
        body.unique = uniques_.at(request);
        send(FUSE_INTERRUPT, std::as_bytes(std::span(&body, 1)));
    }
    // What each request was answered with, an error or 0, in order; more than one is a fault of ours.
    [[nodiscard]] std::vector<int> answers(fuse_req_t request) const {
        const auto found = answers_.find(uniques_.at(request));
        return found != answers_.end() ? found->second : std::vector<int>();
    }

  private:
    void send(std::uint32_t operation, std::span<const std::byte> body) {
        fuse_in_header header{};
        header.len = static_cast<std::uint32_t>(sizeof header + body.size());
        header.opcode = operation;
        header.unique = unique_ += 2;
        header.nodeid = FUSE_ROOT_ID;
        std::vector<std::byte> bytes(header.len);
        std::memcpy(bytes.data(), &header, sizeof header);
        std::memcpy(bytes.data() + sizeof header, body.data(), body.size());
        fuse_buf buffer{};
        buffer.mem = bytes.data();
        buffer.size = bytes.size();
        fuse_session_process_buf(session_, &buffer);
    }
    ssize_t take_reply(std::span<const iovec> parts) {
        fuse_out_header header{};
        std::memcpy(&header, parts.front().iov_base, sizeof header);
        answers_[header.unique].push_back(-header.error);
        return static_cast<ssize_t>(header.len);
    }

    fuse_session* session_ = nullptr;
    fuse_req_t latest_ = nullptr;
    std::uint64_t unique_ = 0;
    std::map<fuse_req_t, std::uint64_t> uniques_;
    std::map<std::uint64_t, std::vector<int>> answers_;
};

}  // namespace plugfs::test
