// Changes that are interrupted: the driver's process ends at each of its calls to the device in turn. What its
// successor makes of it is either what was before or what was wanted; nothing is lost, and nothing of ours is left
// lying there.
#include "driver_fixture.h"

#include <fstream>
#include <functional>
#include <iterator>

using namespace plugfs;
using namespace plugfs::mtp;
using namespace plugfs::mtp::test;

namespace {

const Bytes old_content = pattern(1, 3000);
const Bytes new_content = pattern(2, 5000);
const Bytes other_content = pattern(3, 100);

// What is on the player, by path.
using Tree = std::map<std::string, Bytes>;

Tree on_player(const std::filesystem::path& root) {
    Tree tree;
    for (const auto& item : std::filesystem::recursive_directory_iterator(root)) {
        if (item.is_regular_file()) {
            std::ifstream stream(item.path(), std::ios::binary);
            const std::string text{std::istreambuf_iterator<char>(stream), {}};
            const auto bytes = std::as_bytes(std::span(text));
            tree[item.path().lexically_relative(root).string()] = {bytes.begin(), bytes.end()};
        }
    }
    return tree;
}

// One process after the other, on the same player.
struct Process {
    explicit Process(virtual_usb::Responder& responder)
        : device(responder), host(std::make_unique<RecordingHost>(device)) {}
    Process(virtual_usb::Responder& responder, const Process& before)
        : device(responder), host(std::make_unique<RecordingHost>(device, *before.host)) {}

    InProcessDevice device;
    std::unique_ptr<RecordingHost> host;
    MtpDriver driver{*host, quick};

    void start() {
        const auto started = driver.start();
        REQUIRE_MESSAGE(started.ok(), (started ? "" : started.error().text()));
    }
    std::vector<Entry> list(Key folder) {
        std::vector<Entry> entries;
        std::uint64_t cursor = 0;
        do {
            const auto part = driver.list(folder, cursor);
            REQUIRE(part);
            entries.insert(entries.end(), part->entries.begin(), part->entries.end());
            cursor = part->next;
        } while (cursor != 0);
        return entries;
    }
    std::optional<Key> find(Key folder, const std::string& name) {
        for (const auto& entry : list(folder)) {
            if (entry.name == name) {
                return entry.key;
            }
        }
        return {};
    }
    // Somebody looks around, and there is time to tidy up.
    void look_around(Key root) {
        std::vector<Key> folders = {root};
        for (std::size_t i = 0; i < folders.size(); ++i) {
            for (const auto& entry : list(folders[i])) {
                if (entry.kind == Kind::directory) {
                    folders.push_back(entry.key);
                }
            }
        }
        for (int i = 0; i < 3; ++i) {
            (void)driver.tick();
        }
    }
};

using Faults = std::vector<std::string>;

struct Change {
    std::function<void(PlayerFixture&)> lay_out;
    // What comes before, undisturbed; and what is interrupted: true if it was done.
    std::function<void(Process&, Key)> prepare;
    // As the kit asks for it: again, by a successor, if there is no trace of it.
    std::function<bool(Process&, Key)> act;
    std::function<bool(const Tree&, bool spool_survives)> good;
};

// Ends the process at its `number`th call. False: it came to its end before that.
bool interrupt(const Change& change, std::size_t number, const Faults& faults, bool spool_survives) {
    PlayerFixture it;
    for (const auto& fault : faults) {
        REQUIRE(it.faults.set(fault));
    }
    change.lay_out(it);
    const Key root = storage_key(it.storage);
    Process first(*it.responder);
    first.start();
    change.prepare(first, root);
    first.device.fail_call(number, ENODEV);
    const bool done = change.act(first, root);
    const bool reached = first.device.failed();
    // The connection has ended with the process; the device is as it was left.
    it.responder->reset();
    const auto successor =
        spool_survives ? std::make_unique<Process>(*it.responder, first) : std::make_unique<Process>(*it.responder);
    Process& second = *successor;
    second.start();
    second.look_around(root);
    if (!done && spool_survives) {
        CHECK(change.act(second, root));
        second.look_around(root);
    }
    const auto now = on_player(it.folder.path());
    std::string names;
    for (const auto& [name, content] : now) {
        names += " " + name + " (" + std::to_string(content.size()) + ")";
    }
    CHECK_MESSAGE(change.good(now, done || spool_survives), "call " << number << " leaves" << names);
    CHECK(second.host->spool().files().empty());
    return reached;
}

void interrupt_everywhere(const Change& change, const Faults& faults, bool spool_survives) {
    std::size_t number = 1;
    while (interrupt(change, number, faults, spool_survives)) {
        ++number;
        REQUIRE(number < 500);
    }
    CHECK(number > 3);
}

Change replacement() {
    Change change;
    change.lay_out = [](PlayerFixture& it) { it.folder.file("a.bin", old_content); };
    change.prepare = [](Process& process, Key root) {
        const auto key = process.find(root, "a.bin");
        REQUIRE(key);
        REQUIRE(process.driver.writer()->resize(*key, 0));
        REQUIRE(process.driver.writer()->write(*key, 0, new_content));
    };
    change.act = [](Process& process, Key root) {
        const auto listed = process.driver.list(root, 0);
        if (!listed) {
            return false;
        }
        for (const auto& entry : listed->entries) {
            if (entry.name == "a.bin") {
                return process.driver.writer()->flush(entry.key).ok();
            }
        }
        return false;
    };
    change.good = [](const Tree& now, bool certain) {
        return now == Tree{{"a.bin", new_content}} || (!certain && now == Tree{{"a.bin", old_content}});
    };
    return change;
}

// In parts, as many as it takes on a machine that is busy; until the device fails.
std::optional<Entry> child(Process& process, Key folder, const std::string& name) {
    std::uint64_t cursor = 0;
    do {
        const auto part = process.driver.list(folder, cursor);
        if (!part) {
            break;
        }
        for (const auto& entry : part->entries) {
            if (entry.name == name) {
                return entry;
            }
        }
        cursor = part->next;
    } while (cursor != 0);
    return {};
}

Change move() {
    Change change;
    change.lay_out = [](PlayerFixture& it) {
        it.folder.file("one/x", old_content);
        it.folder.file("one/y", other_content);
        it.folder.file("two/x", other_content);
        it.folder.file("two/y", new_content);
    };
    change.prepare = [](Process& process, Key root) { process.look_around(root); };
    change.act = [](Process& process, Key root) {
        const auto one = child(process, root, "one");
        const auto two = child(process, root, "two");
        if (!one || !two) {
            return false;
        }
        const auto x = child(process, one->key, "x");
        const auto y = child(process, two->key, "y");
        if (!x) {
            return y.has_value() && !process.device.failed();  // it has happened
        }
        const auto replaced = y ? std::optional(y->key) : std::nullopt;
        return process.driver.writer()->rename(x->key, two->key, "y", replaced).ok();
    };
    change.good = [](const Tree& now, bool certain) {
        const Tree after = {{"one/y", other_content}, {"two/x", other_content}, {"two/y", old_content}};
        // Without the spool it may have got no further than half the way; but nothing of it is lost.
        const bool safe =
            std::any_of(now.begin(), now.end(), [](const auto& item) { return item.second == old_content; });
        return now == after || (!certain && safe);
    };
    return change;
}

// From one folder into another, the device's own way; where it cannot, as the kernel does it then.
Change copy(const std::string& name) {
    Change change;
    change.lay_out = [](PlayerFixture& it) {
        it.folder.file("one/x", old_content);
        it.folder.file("two/z", other_content);
    };
    change.prepare = [name](Process& process, Key root) {
        process.look_around(root);
        const auto two = process.find(root, "two");
        REQUIRE(two);
        REQUIRE(process.driver.writer()->create(*two, name, Kind::file));
    };
    change.act = [name](Process& process, Key root) {
        const auto one = child(process, root, "one");
        const auto two = child(process, root, "two");
        const auto original = one ? child(process, one->key, "x") : std::nullopt;
        const auto file = two ? child(process, two->key, name) : std::nullopt;
        if (!original || !file) {
            return false;
        }
        auto& writer = *process.driver.writer();
        if (file->size == old_content.size()) {
            return writer.flush(file->key).ok();  // it has happened
        }
        const auto copied = writer.copy(original->key, file->key);
        if (copied) {
            return true;
        }
        const bool by_writing = copied.error().code == ENOTSUP || copied.error().code == ENOSYS;
        return by_writing && writer.write(file->key, 0, old_content).ok() && writer.flush(file->key).ok();
    };
    change.good = [name](const Tree& now, bool certain) {
        const Tree after = {{"one/x", old_content}, {"two/z", other_content}, {"two/" + name, old_content}};
        // Without the spool nobody knows of the copy any more; what was there before is.
        const bool safe = now.count("one/x") == 1 && now.at("one/x") == old_content && now.count("two/z") == 1;
        return now == after || (!certain && safe && now.size() <= 3);
    };
    return change;
}

const Faults complete = {};
const Faults no_rename = {"no-rename"};
const Faults plain = {"no-rename", "no-move", "no-edit", "new-handles"};

}  // namespace

TEST_CASE("a new version, interrupted anywhere: the successor sends it") {
    for (const auto& faults : {complete, no_rename, plain}) {
        interrupt_everywhere(replacement(), faults, true);
    }
}

TEST_CASE("a new version, interrupted anywhere, and what was to be sent is lost: one of both is there, whole") {
    for (const auto& faults : {complete, no_rename, plain}) {
        interrupt_everywhere(replacement(), faults, false);
    }
}

TEST_CASE("moved, renamed and put over another file at once, interrupted anywhere: it is done, once") {
    for (const auto& faults : {complete, no_rename, plain}) {
        interrupt_everywhere(move(), faults, true);
    }
}

TEST_CASE("the same, and the note of it is lost: nothing else is") {
    for (const auto& faults : {complete, no_rename, plain}) {
        interrupt_everywhere(move(), faults, false);
    }
}

TEST_CASE("copied by the device, interrupted anywhere: there is one copy, whole, and the original") {
    for (const auto& faults : {complete, Faults{"short-copy"}, no_rename, plain}) {
        for (const std::string name : {"x", "y"}) {
            interrupt_everywhere(copy(name), faults, true);
        }
    }
}

TEST_CASE("the same, and the note of it is lost: the original is not") {
    for (const auto& faults : {complete, Faults{"short-copy"}}) {
        for (const std::string name : {"x", "y"}) {
            interrupt_everywhere(copy(name), faults, false);
        }
    }
}
