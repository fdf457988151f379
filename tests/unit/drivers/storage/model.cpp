#include "drivers/storage/model.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <iterator>

namespace plugfs::test {

namespace {

// The path without its last part, with the slash; and the part, without one.
std::string parent_of(const std::string& path) {
    const auto slash = path.rfind('/', path.size() - 2);
    return slash == std::string::npos ? "" : path.substr(0, slash + 1);
}

std::string name_of(const std::string& path) {
    const auto name = path.substr(parent_of(path).size());
    return name.back() == '/' ? name.substr(0, name.size() - 1) : name;
}

std::string lower(std::string text) {
    std::transform(text.begin(), text.end(), text.begin(), [](unsigned char c) { return std::tolower(c); });
    return text;
}

}  // namespace

void ModelRun::step() {
    touched_.clear();
    switch (below(16)) {
        case 0:
        case 1:
        case 2:
            return create(Kind::file);
        case 3:
            return create(Kind::directory);
        case 4:
        case 5:
        case 6:
        case 7:
            return write();
        case 8:
            return resize();
        case 9:
        case 10:
            return remove();
        case 11:
        case 12:
            return rename();
        case 13:
            return rename_over();
        case 14:
            return flush();
        default:
            return read();
    }
}

// Some path, the root (empty) among the folders; empty if there is no such file.
std::string ModelRun::any(bool folder) {
    std::vector<std::string> paths;
    if (folder) {
        paths.emplace_back();
    }
    for (const auto& [path, item] : items_) {
        if (item.folder == folder) {
            paths.push_back(path);
        }
    }
    return paths.empty() ? "" : paths[below(paths.size())];
}

Key ModelRun::folder_key(const std::string& path) const {
    return path.empty() ? root_key : items_.at(path).key;
}

std::string ModelRun::new_name() {
    static const std::vector<std::string> stems = {
        "A",      "readme",     "README.TXT",  "Mixed Case.Text", "ein langer Name mit Ümlaut", "x.tar.gz", ".dot",
        "日本語", "NAME~1.TXT", "plus+komma,", "lower.ext"};
    std::string name = stems[below(stems.size())];
    const std::size_t number = below(20);
    if (number < 12) {
        name += std::to_string(number);
    } else if (number == 12) {
        name += std::string(1 + below(180), 'l');
    }
    return name;
}

// The path of what is in the folder under this name, whatever the case if it does not matter.
std::string ModelRun::existing_twin(const std::string& folder, const std::string& name) const {
    for (const auto& [path, item] : items_) {
        const bool same = limits_.case_matters ? name_of(path) == name : lower(name_of(path)) == lower(name);
        if (parent_of(path) == folder && same) {
            return path;
        }
    }
    return "";
}

void ModelRun::touch(const std::string& path) {
    touched_.push_back(path);
    for (auto it = flushed_.begin(); it != flushed_.end();) {
        const bool within = it->first == path || (path.back() == '/' && it->first.rfind(path, 0) == 0);
        it = within ? flushed_.erase(it) : std::next(it);
    }
}

void ModelRun::create(Kind kind) {
    const std::string folder = any(true);
    if (items_.size() >= limits_.entries || std::count(folder.begin(), folder.end(), '/') > 4) {
        return remove();
    }
    const std::string name = new_name();
    const std::string twin = existing_twin(folder, name);
    INFO("create " << folder << name);
    const auto made = volume_.create(folder_key(folder), name, kind);
    if (!twin.empty()) {
        CHECK((!made && made.error().code == EEXIST));
        return;
    }
    if (!made && (made.error().code == ENOSPC || made.error().code == EEXIST)) {
        return;  // full; or the name is the short one of another
    }
    REQUIRE_MESSAGE(made.ok(), (made ? "" : made.error().text()));
    CHECK(made->name == name);
    const std::string path = folder + name + (kind == Kind::directory ? "/" : "");
    touch(path);
    items_[path] = {made->key, "", kind == Kind::directory};
}

void ModelRun::write() {
    const std::string path = any(false);
    if (path.empty()) {
        return create(Kind::file);
    }
    auto& item = items_.at(path);
    std::size_t offset = below(4) == 0 ? below(limits_.file_size) : item.content.size();
    offset = std::min(offset, limits_.file_size);
    const std::string text = pattern(1 + below(below(3) == 0 ? 30'000 : 3'000), random_());
    INFO("write " << path << " at " << offset << ", " << text.size());
    touch(path);
    const auto done = volume_.write(item.key, offset, std::as_bytes(std::span(text)));
    if (!done && done.error().code == ENOSPC) {
        // Zeroes up to the offset may have been written; what is there must be the old content and zeroes.
        const auto now = volume_.flush(item.key);
        REQUIRE(now.ok());
        REQUIRE(now->size >= item.content.size());
        item.content.resize(now->size);
        return;
    }
    REQUIRE_MESSAGE(done.ok(), (done ? "" : done.error().text()));
    item.content.resize(std::max(item.content.size(), offset + text.size()));
    item.content.replace(offset, text.size(), text);
}

void ModelRun::resize() {
    const std::string path = any(false);
    if (path.empty()) {
        return;
    }
    auto& item = items_.at(path);
    const std::size_t size = below(4) == 0 ? 0 : below(std::max<std::size_t>(item.content.size() * 3 / 2, 2));
    INFO("resize " << path << " to " << size);
    touch(path);
    const auto done = volume_.resize(item.key, size);
    if (!done && done.error().code == ENOSPC) {
        return;
    }
    REQUIRE_MESSAGE(done.ok(), (done ? "" : done.error().text()));
    item.content.resize(size);
}

void ModelRun::remove() {
    const std::string path = any(below(4) == 0);
    if (path.empty()) {
        return;
    }
    const auto& item = items_.at(path);
    const auto after = std::next(items_.find(path));
    const bool has_entries = item.folder && after != items_.end() && after->first.rfind(path, 0) == 0;
    INFO("remove " << path);
    if (!has_entries) {
        touch(path);
    }
    const auto done = volume_.remove(item.key);
    if (has_entries) {
        CHECK((!done && done.error().code == ENOTEMPTY));
        return;
    }
    REQUIRE_MESSAGE(done.ok(), (done ? "" : done.error().text()));
    CHECK(!volume_.read(item.key, 0, {}).ok());
    items_.erase(path);
}

void ModelRun::moved(const std::string& from, const std::string& to, Key key) {
    Items changed;
    for (auto it = items_.begin(); it != items_.end();) {
        if (it->first == from || (from.back() == '/' && it->first.rfind(from, 0) == 0)) {
            changed[to + it->first.substr(from.size())] = std::move(it->second);
            it = items_.erase(it);
        } else {
            ++it;
        }
    }
    changed.at(to).key = key;
    items_.merge(changed);
}

void ModelRun::rename() {
    const std::string from = any(below(3) == 0);
    if (from.empty()) {
        return;
    }
    const std::string folder = below(2) == 0 ? any(true) : parent_of(from);
    const std::string name = new_name();
    const bool is_folder = from.back() == '/';
    const std::string to = folder + name + (is_folder ? "/" : "");
    const std::string twin = existing_twin(folder, name);
    INFO("rename " << from << " to " << to);
    const bool into_itself = is_folder && folder.rfind(from, 0) == 0;
    const bool taken = !twin.empty() && twin != from;
    if (!into_itself && !taken) {
        touch(from);
        touch(to);
    }
    const auto done = volume_.rename(items_.at(from).key, folder_key(folder), name, std::nullopt);
    if (into_itself) {
        CHECK((!done && (done.error().code == EINVAL || done.error().code == EEXIST)));
        return;
    }
    if (taken) {
        CHECK((!done && done.error().code == EEXIST));
        return;
    }
    if (!done && (done.error().code == ENOSPC || done.error().code == EEXIST)) {
        return;
    }
    REQUIRE_MESSAGE(done.ok(), (done ? "" : done.error().text()));
    CHECK(done->name == name);
    moved(from, to, done->key);
}

void ModelRun::rename_over() {
    const std::string from = any(false);
    const std::string to = any(false);
    if (from.empty() || from == to) {
        return;
    }
    INFO("rename " << from << " over " << to);
    touch(from);
    touch(to);
    const Key replaced = items_.at(to).key;
    const auto done = volume_.rename(items_.at(from).key, folder_key(parent_of(to)), name_of(to), replaced);
    REQUIRE_MESSAGE(done.ok(), (done ? "" : done.error().text()));
    CHECK(!volume_.read(replaced, 0, {}).ok());
    items_.erase(to);
    moved(from, to, done->key);
}

void ModelRun::flush() {
    const std::string path = any(false);
    if (path.empty()) {
        return;
    }
    const auto& item = items_.at(path);
    const auto done = volume_.flush(item.key);
    REQUIRE_MESSAGE(done.ok(), (done ? "" : done.error().text()));
    CHECK(done->size == item.content.size());
    CHECK(done->name == name_of(path));
    flushed_[path] = item.content;
}

void ModelRun::read() {
    const std::string path = any(false);
    if (path.empty()) {
        return;
    }
    const auto& item = items_.at(path);
    std::string out(1 + below(50'000), '?');
    const std::size_t offset = below(item.content.size() + 10);
    const std::string wanted = offset < item.content.size() ? item.content.substr(offset, out.size()) : "";
    const auto got = volume_.read(item.key, offset, std::as_writable_bytes(std::span(out)));
    INFO("read " << path << " at " << offset);
    REQUIRE_MESSAGE(got.ok(), (got ? "" : got.error().text()));
    out.resize(*got);
    CHECK((out == wanted));
}

Tree ModelRun::tree() const {
    Tree tree;
    for (const auto& [path, item] : items_) {
        tree[path] = item.content;
    }
    return tree;
}

void ModelRun::compare(storage::Volume& volume) const {
    const Tree found = read_tree(volume);
    const Tree wanted = tree();
    for (const auto& [path, content] : wanted) {
        const std::string name = path;  // clang 14 captures no structured binding
        CAPTURE(name);
        const auto there = found.find(path);
        REQUIRE(there != found.end());
        REQUIRE(there->second.size() == content.size());
        CHECK((there->second == content));
    }
    CHECK(found.size() == wanted.size());
}

}  // namespace plugfs::test
