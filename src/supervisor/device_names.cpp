#include "supervisor/device_names.h"

#include "common/log.h"
#include "common/names.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <sstream>

namespace plugfs {

using nlohmann::json;

namespace {
constexpr std::size_t memory_limit = 1000;
}  // namespace

DeviceNames::DeviceNames(std::string file) : file_(std::move(file)) {
    if (!file_.empty()) {
        load();
    }
}

void DeviceNames::load() {
    std::ifstream stream(file_);
    if (!stream) {
        return;
    }
    std::stringstream text;
    text << stream.rdbuf();
    const json content = json::parse(text.str(), nullptr, false);
    if (!content.is_array()) {
        log::warning("device names: " + file_ + " is damaged; names begin anew");
        return;
    }
    for (const auto& item : content) {
        if (item.is_object() && item.value("id", json()).is_string() && item.value("name", json()).is_string() &&
            known_.size() < memory_limit) {
            // The file may have been edited: a name from it is made safe like any other.
            known_.push_back({item["id"].get<std::string>(), safe_device_name(item["name"].get<std::string>())});
        }
    }
}

void DeviceNames::save() const {
    if (file_.empty()) {
        return;
    }
    json content = json::array();
    for (const auto& known : known_) {
        content.push_back({{"id", known.id}, {"name", known.name}});
    }
    std::error_code error;
    std::filesystem::create_directories(std::filesystem::path(file_).parent_path(), error);
    const std::string temporary = file_ + ".new";
    std::ofstream stream(temporary, std::ios::trunc);
    stream << content.dump(1, ' ', true, json::error_handler_t::replace) << '\n';
    stream.close();
    if (!stream || ::rename(temporary.c_str(), file_.c_str()) != 0) {
        log::warning("device names: cannot write " + file_ + ": " + std::strerror(errno));
    }
}

std::string DeviceNames::name_for(const std::string& id, const std::string& product) {
    const auto found = std::find_if(known_.begin(), known_.end(), [&](const Known& known) { return known.id == id; });
    if (found != known_.end()) {
        known_.splice(known_.begin(), known_, found);
        return known_.front().name;
    }
    const auto taken = [this](const std::string& name) {
        return std::any_of(known_.begin(), known_.end(), [&](const Known& known) { return known.name == name; });
    };
    const std::string wanted = safe_device_name(product);
    std::string name = wanted;
    for (unsigned number = 2; taken(name); ++number) {
        name = wanted + "-" + std::to_string(number);
    }
    known_.push_front({id, name});
    if (known_.size() > memory_limit) {
        known_.pop_back();
    }
    save();
    return name;
}

}  // namespace plugfs
