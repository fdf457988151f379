#include "kit/operation_search.h"

#include "kit/tree.h"

#include <cerrno>

namespace plugfs::kit {

namespace {

// A device that never comes to an end is not followed for ever.
constexpr unsigned part_limit = 100'000;

Result<std::optional<Entry>> find_in_folder(Driver& driver, Key folder, const std::string& name) {
    std::uint64_t cursor = 0;
    for (unsigned part = 0; part < part_limit; ++part) {
        PLUGFS_ASSIGN(const auto listing, driver.list(folder, cursor));
        for (const auto& entry : listing.entries) {
            if (entry.name == name) {
                return std::optional(entry);
            }
        }
        if (listing.next == 0) {
            return std::optional<Entry>();
        }
        cursor = listing.next;
    }
    return fail(EIO, "list", "the folder has no end");
}

Result<std::optional<Entry>> find_path(Driver& driver, const Operation::Path& path) {
    std::optional<Entry> entry;
    Key folder = root_key;
    for (std::size_t i = 0; i < path.size(); ++i) {
        PLUGFS_ASSIGN(entry, find_in_folder(driver, folder, path[i]));
        const bool last = i + 1 == path.size();
        if (!entry || (!last && entry->kind != Kind::directory)) {
            return std::optional<Entry>();
        }
        folder = entry->key;
    }
    return entry;
}

Result<OperationTrace> search_once(Driver& driver, const Operation& operation) {
    PLUGFS_ASSIGN(auto at_path, find_path(driver, operation.path));
    switch (operation.what) {
        case Operation::What::create_file:
        case Operation::What::create_folder: {
            const bool there = at_path.has_value();
            return OperationTrace{there, std::move(at_path)};
        }
        case Operation::What::remove:
            return OperationTrace{!at_path, std::nullopt};
        case Operation::What::rename:
            break;
    }
    // Still at its old place: then it has not moved, whatever has become of what it was to replace.
    if (at_path) {
        return OperationTrace{};
    }
    PLUGFS_ASSIGN(auto at_target, find_path(driver, operation.target));
    return OperationTrace{at_target.has_value(), std::move(at_target)};
}

}  // namespace

Result<OperationTrace> search_for(Driver& driver, const Operation& operation) {
    for (unsigned attempt = 1;; ++attempt) {
        auto trace = search_once(driver, operation);
        if (trace || trace.error().code != ESTALE || attempt == stale_limit) {
            return trace;
        }
    }
}

}  // namespace plugfs::kit
