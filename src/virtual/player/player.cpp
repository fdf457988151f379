#include "virtual/player/player.h"

#include <nlohmann/json.hpp>

#include <sstream>

namespace plugfs::virtual_usb {

Player::Player(DeviceDescription device, std::unique_ptr<ObjectStore> store)
    : store_(std::move(store)), responder_(std::move(device), *store_, faults_), server_(responder_) {
    server_.command = [this](const std::string& line) { return command(line); };
    server_.watch_fd = store_->watch_fd();
    server_.watched = [this] { report_changes(); };
    server_.after_round = [this] { check_unplug(); };
}

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

Result<void> Player::serve(int listener, int control, int stop) {
    return server_.serve(listener, control, stop);
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
    if (faults_.on("unplug-after") && server_.connected() &&
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
        server_.unplug();
        return "ok";
    }
    if (verb == "plug") {
        server_.plug();
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
    if (verb == "property") {
        // Its own buttons: code in hexadecimal, then the value.
        std::istringstream parts(argument);
        std::uint32_t code = 0;
        std::string value;
        parts >> std::hex >> code;
        std::getline(parts >> std::ws, value);
        if (!responder_.properties().set_text(code, value)) {
            return "not possible";
        }
        responder_.send_event(mtp::event::device_prop_changed, code);
        return "ok";
    }
    if (verb == "count") {
        return counts();
    }
    return "fault NAME[=ARGUMENT] | clear | unlock | unplug | plug | storage-add NAME=FOLDER | storage-remove NAME | "
           "property CODE VALUE | count";
}

std::string Player::counts() const {
    nlohmann::json operations = nlohmann::json::object();
    for (const auto& [operation, count] : responder_.transactions()) {
        std::ostringstream code;
        code << std::hex << operation;
        operations[code.str()] = count;
    }
    return nlohmann::json{{"bytes_in", server_.traffic().bytes_in},
                          {"bytes_out", server_.traffic().bytes_out},
                          {"cancelled", responder_.cancelled()},
                          {"operations", operations}}
        .dump();
}

}  // namespace plugfs::virtual_usb
