// A device whose folders are listed in parts, with everything that Folders needs and no thread: a turn is one job of
// the device's and what follows from it.
#pragma once

#include "kit/filesystem/folders.h"

#include <doctest/doctest.h>

#include <map>
#include <memory>
#include <vector>

namespace plugfs::test {

class ListedDevice : public Driver, public kit::FolderObserver, public kit::Notices {
  public:
    ListedDevice() : core{*queue, *mailbox}, folders(core, *this) { core.notifier = this; }

    Result<void> start() override { return {}; }
    Result<Listing> list(Key folder, std::uint64_t cursor) override {
        asked.push_back(folder);
        if (error != 0) {
            return fail(error, "test");
        }
        const auto found = content.find(folder);
        if (found == content.end()) {
            return fail(ESTALE, "test");
        }
        Listing part;
        if (cursor < found->second.size()) {
            part.entries.push_back(found->second[cursor]);
            part.next = cursor + 1 < found->second.size() ? cursor + 1 : 0;
        }
        return part;
    }
    Result<std::size_t> read(Key /*file*/, std::uint64_t /*offset*/, std::span<std::byte> /*out*/) override {
        return std::size_t{0};
    }

    void list_controls(kit::Node& /*folder*/) override {}
    [[nodiscard]] bool view_is_known() const override { return true; }
    [[nodiscard]] std::uint64_t view_of(const kit::Node& folder) override { return folder.inode; }
    void want_view() override {}
    void entry_appeared(const kit::Node& node) override { appeared.push_back(node.name); }
    void content_changed(const kit::Node& /*node*/) override {}
    void attributes_changed(const kit::Node& /*node*/) override {}
    void folders_changed() override {}
    [[nodiscard]] bool is_open(std::uint64_t /*inode*/) const override { return false; }

    void inode_changed(std::uint64_t /*inode*/, bool /*content*/) override {}
    void name_changed(std::uint64_t /*parent*/, std::string name) override { told.push_back("name " + name); }
    void removed(std::uint64_t /*parent*/, std::uint64_t /*inode*/, std::string name) override {
        told.push_back("removed " + name);
    }

    // False: nothing was to be done.
    bool turn() {
        const auto job = queue->take();
        if (job) {
            (*job)(*this);
        }
        mailbox->run_all();
        return job.has_value();
    }
    void run() {
        for (int turns = 0; turn(); ++turns) {
            REQUIRE(turns < 100);
        }
    }
    [[nodiscard]] kit::Node& node(const std::string& name) {
        kit::Node* found = kit::Tree::child(core.tree.root(), name);
        REQUIRE(found != nullptr);
        return *found;
    }

    std::map<Key, std::vector<Entry>> content;  // of each folder; one entry a part
    int error = 0;                              // what list() fails with
    std::vector<Key> asked;                     // for a part of which folder
    std::vector<std::string> appeared;
    std::vector<std::string> told;  // to the kernel, of names

    std::unique_ptr<kit::DeviceQueue> queue = made(kit::DeviceQueue::create());
    std::unique_ptr<kit::Mailbox> mailbox = made(kit::Mailbox::create());
    kit::FilesystemCore core;
    kit::Folders folders;

  private:
    template <class Made>
    static Made made(Result<Made> result) {
        REQUIRE(result.ok());
        return std::move(*result);
    }
};

}  // namespace plugfs::test
