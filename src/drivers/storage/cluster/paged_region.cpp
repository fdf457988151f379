#include "drivers/storage/cluster/paged_region.h"

#include <algorithm>

namespace plugfs::storage {

PagedRegion::PagedRegion(BlockDevice& device, std::vector<std::uint64_t> copies, std::uint64_t length)
    : device_(device), copies_(std::move(copies)), length_(length) {
    pages_.reserve(page_limit);  // recent_ and page() point into it
}

Result<std::span<const std::byte>> PagedRegion::read(std::uint64_t offset) {
    if (offset >= length_) {
        return fail(EINVAL, "table", "read past its end");
    }
    PLUGFS_ASSIGN(const Page* found, page(offset / page_size));
    return std::span<const std::byte>(found->bytes).subspan(offset % page_size);
}

Result<void> PagedRegion::write(std::uint64_t offset, std::span<const std::byte> bytes) {
    if (offset > length_ || bytes.size() > length_ - offset) {
        return fail(EINVAL, "table", "write past its end");
    }
    while (!bytes.empty()) {
        PLUGFS_ASSIGN(Page * found, page(offset / page_size));
        const std::size_t at = offset % page_size;
        const std::size_t count = std::min(bytes.size(), found->bytes.size() - at);
        std::copy_n(bytes.begin(), count, found->bytes.begin() + static_cast<std::ptrdiff_t>(at));
        for (std::size_t i = at / unit; i <= (at + count - 1) / unit; ++i) {
            found->changed |= std::uint64_t{1} << i;
        }
        bytes = bytes.subspan(count);
        offset += count;
    }
    return {};
}

Result<void> PagedRegion::write_out(BlockDevice::Rank rank) {
    for (auto& page : pages_) {
        PLUGFS_TRY(write_page(page, rank));
    }
    return {};
}

void PagedRegion::forget() {
    pages_.clear();
    recent_ = nullptr;
}

Result<PagedRegion::Page*> PagedRegion::page(std::uint64_t number) {
    if (recent_ != nullptr && recent_->number == number) {
        return recent_;
    }
    auto found = std::find_if(pages_.begin(), pages_.end(), [&](const Page& page) { return page.number == number; });
    if (found == pages_.end()) {
        if (pages_.size() == page_limit) {
            found = std::min_element(pages_.begin(), pages_.end(),
                                     [](const Page& a, const Page& b) { return a.last_used < b.last_used; });
            PLUGFS_TRY(write_page(*found, BlockDevice::Rank::content));
            *found = std::move(pages_.back());
            pages_.pop_back();
            recent_ = nullptr;
        }
        Page fresh;
        PLUGFS_TRY(load(fresh, number));
        pages_.push_back(std::move(fresh));
        found = pages_.end() - 1;
    }
    found->last_used = ++clock_;
    recent_ = &*found;
    return recent_;
}

Result<void> PagedRegion::load(Page& page, std::uint64_t number) {
    const std::uint64_t offset = number * page_size;
    page.number = number;
    page.bytes.resize(std::min<std::uint64_t>(page_size, length_ - offset));
    Result<void> result;
    for (const auto copy : copies_) {
        result = device_.read(copy + offset, page.bytes, BlockDevice::Use::metadata);
        if (result || result.error().code != EIO) {
            break;
        }
    }
    return result;
}

Result<void> PagedRegion::write_page(Page& page, BlockDevice::Rank rank) {
    const auto changed = [&](std::size_t i) { return i < 64 && ((page.changed >> i) & 1U) != 0; };
    for (std::size_t i = 0; i < 64; ++i) {
        if (!changed(i)) {
            continue;
        }
        std::size_t end = i;
        while (changed(end)) {
            ++end;
        }
        const std::size_t from = i * unit;
        const std::size_t to = std::min(end * unit, page.bytes.size());
        const auto part = std::span<const std::byte>(page.bytes).subspan(from, to - from);
        for (const auto copy : copies_) {
            PLUGFS_TRY(
                device_.write_ranked(copy + page.number * page_size + from, part, BlockDevice::Use::metadata, rank));
        }
        i = end;
    }
    page.changed = 0;
    return {};
}

}  // namespace plugfs::storage
