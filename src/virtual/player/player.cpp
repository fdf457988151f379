#include "virtual/player/player.h"

#include "common/log.h"

#include <poll.h>
#include <sys/socket.h>

#include <nlohmann/json.hpp>

#include <algorithm>
#include <array>
#include <sstream>

namespace plugfs::virtual_usb {

namespace {
constexpr std::size_t line_limit = 1024;
constexpr int client_deadline_ms = 1000;
}  // namespace

Player::Player(DeviceDescription device, std::unique_ptr<ObjectStore> store)
    : store_(std::move(store)), responder_(std::move(device), *store_, faults_) {}

Result<std::unique_ptr<Player>> Player::create(const PlayerOptions& options) {
    PLUGFS_ASSIGN(auto store, ObjectStore::create());
    std::unique_ptr<Player> player(new Player(options.device, std::move(store)));
    for (const auto& [name, folder] : options.storages) {
        PLUGFS_TRY(player->store_->add_storage(name, folder));
    }
    for (const auto& fault : options.faults) {
        if (player->command("fault " + fault) != "ok") {
            return fail(EINVAL, "fault " + fault, "no such fault; see --help");
        }
    }
    return player;
}

int Player::wait_ms() const {
    const auto wake = initiator_ ? initiator_->next_wake() : std::nullopt;
    return wake ? std::min(1000, Deadline::at(*wake).remaining_ms()) : -1;
}

Result<void> Player::serve(int listener, int control, int stop) {
    while (true) {
        std::array<pollfd, 5> ready = {
            {{stop, POLLIN, 0},
             {store_->watch_fd(), POLLIN, 0},
             {control, POLLIN, 0},
             {initiator_ || !plugged_ ? -1 : listener, POLLIN, 0},
             {initiator_ ? initiator_->fd() : -1, initiator_ ? initiator_->events() : short{0}, 0}}};
        if (::poll(ready.data(), ready.size(), wait_ms()) < 0 && errno != EINTR) {
            return fail(errno, "poll");
        }
        if (ready[0].revents != 0) {
            return {};
        }
        if (ready[1].revents != 0) {
            report_changes();
        }
        if (ready[2].revents != 0) {
            const UniqueFd client(::accept4(control, nullptr, nullptr, SOCK_CLOEXEC));
            pollfd wait{client.get(), POLLIN, 0};
            std::array<char, line_limit> buffer{};
            if (client && ::poll(&wait, 1, client_deadline_ms) == 1) {
                const ssize_t length = ::recv(client.get(), buffer.data(), buffer.size(), 0);
                const std::string text(buffer.data(), static_cast<std::size_t>(std::max<ssize_t>(length, 0)));
                const auto answer = command(text.substr(0, text.find('\n'))) + "\n";
                (void)::send(client.get(), answer.data(), answer.size(), MSG_NOSIGNAL);
            }
        }
        if (ready[3].revents != 0) {
            accept_initiator(listener);
        }
        serve_initiator(ready[4].revents);
        check_unplug();
    }
}

void Player::accept_initiator(int listener) {
    UniqueFd socket(::accept4(listener, nullptr, nullptr, SOCK_CLOEXEC));
    if (!socket) {
        return;
    }
    if (auto server = UsbredirServer::create(std::move(socket), responder_, traffic_)) {
        initiator_ = std::move(*server);
    } else {
        log::error(server.error().text());
    }
}

void Player::serve_initiator(short /*events*/) {
    // In any case: a command or a change may have queued something to send.
    if (initiator_ && !initiator_->serve()) {
        initiator_.reset();
        responder_.reset();
    }
}

void Player::report_changes() {
    for (const auto& change : store_->changes()) {
        using What = ObjectStore::Change::What;
        const std::uint16_t code = change.what == What::added     ? mtp::event::object_added
                                   : change.what == What::removed ? mtp::event::object_removed
                                                                  : mtp::event::object_info_changed;
        responder_.send_event(code, change.handle);
    }
}

void Player::check_unplug() {
    if (faults_.on("unplug-after") && initiator_ &&
        responder_.data_sent() - unplug_base_ > faults_.number("unplug-after", std::uint64_t{1} << 20U)) {
        command("unplug");
    }
}

std::string Player::command(const std::string& line) {
    std::istringstream words(line);
    std::string verb;
    std::string argument;
    words >> verb;
    std::getline(words >> std::ws, argument);
    if (verb == "fault") {
        unplug_base_ = responder_.data_sent();
        return faults_.set(argument) ? "ok" : "no such fault";
    }
    if (verb == "clear") {
        faults_.clear();
        return "ok";
    }
    if (verb == "unlock") {
        faults_.clear("locked");
        for (const auto& storage : store_->storages()) {
            responder_.send_event(mtp::event::store_added, storage.id);
        }
        return "ok";
    }
    if (verb == "unplug") {
        plugged_ = false;
        initiator_.reset();
        responder_.reset();
        return "ok";
    }
    if (verb == "plug") {
        plugged_ = true;
        faults_.clear();
        return "ok";
    }
    if (verb == "storage-add") {
        const auto equals = argument.find('=');
        const auto id = equals == std::string::npos
                            ? Result<std::uint32_t>(fail(EINVAL, "storage-add", "NAME=FOLDER"))
                            : store_->add_storage(argument.substr(0, equals), argument.substr(equals + 1));
        if (!id) {
            return id.error().text();
        }
        responder_.send_event(mtp::event::store_added, *id);
        return "ok";
    }
    if (verb == "storage-remove") {
        for (const auto& storage : store_->storages()) {
            if (storage.name == argument) {
                const std::uint32_t id = storage.id;
                (void)store_->remove_storage(id);
                responder_.send_event(mtp::event::store_removed, id);
                return "ok";
            }
        }
        return "no such storage";
    }
    if (verb == "count") {
        return counts();
    }
    return "fault NAME[=ARGUMENT] | clear | unlock | unplug | plug | storage-add NAME=FOLDER | storage-remove NAME | "
           "count";
}

std::string Player::counts() const {
    nlohmann::json operations = nlohmann::json::object();
    for (const auto& [operation, count] : responder_.transactions()) {
        std::ostringstream code;
        code << std::hex << operation;
        operations[code.str()] = count;
    }
    return nlohmann::json{{"bytes_in", traffic_.bytes_in},
                          {"bytes_out", traffic_.bytes_out},
                          {"cancelled", responder_.cancelled()},
                          {"operations", operations}}
        .dump();
}

}  // namespace plugfs::virtual_usb
