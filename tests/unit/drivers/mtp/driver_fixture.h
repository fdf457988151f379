// The driver, started by a test, on the virtual player.
#pragma once

#include "drivers/mtp/mtp_driver.h"
#include "player_fixture.h"

#include <algorithm>

namespace plugfs::mtp::test {

struct DriverFixture : PlayerFixture {
    RecordingHost host{*device};
    MtpDriver driver{host, quick};

    void start() {
        const auto started = driver.start();
        REQUIRE_MESSAGE(started.ok(), (started ? "" : started.error().text()));
    }
    std::vector<Entry> list(Key key) {
        std::vector<Entry> entries;
        std::uint64_t cursor = 0;
        do {
            auto part = driver.list(key, cursor);
            REQUIRE_MESSAGE(part.ok(), (part ? "" : part.error().text()));
            std::move(part->entries.begin(), part->entries.end(), std::back_inserter(entries));
            cursor = part->next;
        } while (cursor != 0);
        return entries;
    }
    Entry entry(Key parent, const std::string& name) {
        for (const auto& item : list(parent)) {
            if (item.name == name) {
                return item;
            }
        }
        FAIL("there is no " << name);
        return {};
    }
    Key root() { return storage_key(storage); }
    int error_of_read(Key key) {
        Bytes out(100);
        const auto got = driver.read(key, 0, out);
        return got ? 0 : got.error().code;
    }
    bool reads(Key key, const Bytes& content) {
        Bytes out(content.size());
        const auto got = driver.read(key, 0, out);
        return got && *got == out.size() && out == content;
    }
    // Tells the driver what the device reports.
    void events() {
        for (const auto& change : store->changes()) {
            using What = virtual_usb::ObjectStore::Change::What;
            responder->send_event(change.what == What::added     ? event::object_added
                                  : change.what == What::removed ? event::object_removed
                                                                 : event::object_info_changed,
                                  change.handle);
        }
        auto& queue = responder->in(endpoints.interrupt_in);
        while (!queue.empty()) {
            const auto packet = queue.front().bytes.take(28);
            queue.pop_front();  // first: what the driver does then may clear the queue
            driver.arrived(endpoints.interrupt_in, packet);
        }
    }
};

}  // namespace plugfs::mtp::test
