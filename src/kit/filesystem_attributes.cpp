// Filesystem: extended attributes; see plugfs/attributes.h.
//
// What the driver says of a file is kept until the file changes, for some thousand files. Names of other name spaces
// than "user" are answered at once: every ls(1) asks for security labels and access lists, and every write(2) for
// capabilities, and no device has any of them.

#include "common/log.h"
#include "kit/filesystem.h"

#include <sys/xattr.h>

#include <algorithm>

namespace plugfs::kit {

namespace {

constexpr std::string_view name_space = "user.";
constexpr std::size_t cache_limit = 4096;   // files
constexpr std::size_t shown_limit = 65536;  // bytes: XATTR_SIZE_MAX, linux/limits.h
constexpr std::size_t set_limit = 65536;

}  // namespace

const Attribute* Filesystem::find_attribute(const AttributeList& list, std::string_view name) {
    const auto found =
        std::find_if(list->begin(), list->end(), [name](const Attribute& item) { return item.name == name; });
    return found == list->end() ? nullptr : &*found;
}

void Filesystem::attributes_changed(std::uint64_t inode) {
    attribute_cache_.erase(inode);
    tracks_.again(inode);
}

void Filesystem::device_attributes_changed(Key file) {
    if (const Node* node = tree_.find_key(file)) {
        attributes_changed(node->inode);
        go_on_with_tracks();
    }
}

void Filesystem::on_bound_file(std::uint64_t inode, Priority priority, FileJob job, FileJobDone done) {
    auto order = std::make_shared<FileOrder>(FileOrder{inode, priority, std::move(job), std::move(done), 0});
    do_order(order);
}

void Filesystem::do_order(const std::shared_ptr<FileOrder>& order) {
    Node* node = tree_.find(order->inode);
    if (node == nullptr || node->parent == nullptr) {
        const Error error = fail(ENOENT, "file", "it is not on the device any more");
        order->done(&error);
        return;
    }
    when_bound(*node, [this, order](const Error* error) {
        const Node* at = tree_.find(order->inode);
        if (error != nullptr || at == nullptr) {
            const Error gone = error != nullptr ? *error : fail(ENOENT, "file", "it is not on the device any more");
            order->done(&gone);
            return;
        }
        queue_.add(order->priority, [this, order, key = at->key](Driver& driver) {
            mailbox_.post([this, order, key, result = order->job(driver, key)] {
                if (!result && result.error().code == ESTALE && order->attempt < stale_limit) {
                    ++order->attempt;
                    if (const Node* stale = tree_.find(order->inode)) {
                        keys_lost(*stale, key);
                    }
                    do_order(order);
                    return;
                }
                order->done(result ? nullptr : &result.error());
            });
        });
    });
}

void Filesystem::ask_attributes(std::uint64_t inode, Priority priority,
                                const std::function<void(const Error*, const AttributeList&)>& done) {
    if (const auto known = attribute_cache_.find(inode); known != attribute_cache_.end()) {
        done(nullptr, AttributeList(known->second));
        return;
    }
    auto list = std::make_shared<std::vector<Attribute>>();
    const Node* node = tree_.find(inode);
    const std::uint64_t version = node != nullptr ? node->version : 0;
    on_bound_file(
        inode, priority,
        [list](Driver& driver, Key key) -> Result<void> {
            Attributes* attributes = driver.attributes();
            if (attributes == nullptr) {
                return {};
            }
            auto got = attributes->list(key);
            if (!got && got.error().code != ENOTSUP && got.error().code != ENODATA) {
                return got.error();
            }
            if (got) {
                *list = std::move(*got);
            }
            return {};
        },
        [this, inode, version, list, done](const Error* error) {
            const Node* at = tree_.find(inode);
            if (error == nullptr && at != nullptr && at->version == version) {
                if (attribute_cache_.size() >= cache_limit) {
                    attribute_cache_.clear();
                }
                attribute_cache_[inode] = list;
            }
            done(error, list);
        });
}

void Filesystem::fetch_attribute(std::uint64_t inode, const std::string& name,
                                 const std::function<void(const Error*, const std::string&)>& done) {
    auto value = std::make_shared<std::string>();
    on_bound_file(
        inode, Priority::demanded,
        [value, name](Driver& driver, Key key) -> Result<void> {
            Attributes* attributes = driver.attributes();
            if (attributes == nullptr) {
                return fail(ENODATA, name);
            }
            PLUGFS_ASSIGN(*value, attributes->get(key, name));
            return value->size() <= Attributes::value_limit ? Result<void>() : fail(EFBIG, name);
        },
        [value, done](const Error* error) { done(error, *value); });
}

bool Filesystem::asks_for_attributes(fuse_req_t request, std::uint64_t inode, std::string_view name, int otherwise) {
    const Node* node = tree_.find(inode);
    if (node == nullptr) {
        fuse_reply_err(request, ESTALE);
        return false;
    }
    const bool possible = node->content == Content::driver && node->kind == Kind::file &&
                          name.starts_with(name_space) && (attributes_ || !started_on_device_);
    if (!possible) {
        if (otherwise == 0) {
            fuse_reply_xattr(request, 0);
        } else {
            fuse_reply_err(request, otherwise);
        }
        return false;
    }
    return !refuse(request);
}

// Every answer but an error is bytes, or how many there are.
void Filesystem::reply_attribute(fuse_req_t request, std::string_view value, std::size_t room) {
    if (room == 0) {
        fuse_reply_xattr(request, value.size());
    } else if (value.size() > room) {
        fuse_reply_err(request, ERANGE);
    } else {
        fuse_reply_buf(request, value.data(), value.size());
    }
}

Filesystem::PendingId Filesystem::wait_for_attribute(fuse_req_t request, std::uint64_t inode, const char* what) {
    return wait(request, [this, request, inode, what](const Error& error) {
        const Node* at = tree_.find(inode);
        reply_error(request, error, std::string(what) + " of " + quoted(at != nullptr ? Tree::path(*at) : "?"));
    });
}

void Filesystem::end_wait(PendingId id, const std::function<void(fuse_req_t)>& answer, const Error* error) {
    const auto found = pending_.find(id);
    if (found == pending_.end()) {
        return;
    }
    const Pending pending = found->second;
    finish(id);
    if (error != nullptr && error->code == ENODATA) {
        fuse_reply_err(pending.request, ENODATA);  // nothing that belongs into a log
    } else if (error != nullptr) {
        pending.fail(*error);
    } else {
        answer(pending.request);
    }
}

void Filesystem::get_attribute(fuse_req_t request, std::uint64_t inode, std::string_view name, std::size_t room) {
    if (!asks_for_attributes(request, inode, name, ENODATA)) {
        return;
    }
    const std::string wanted(name.substr(name_space.size()));
    const PendingId id = wait_for_attribute(request, inode, "attribute");
    ask_attributes(inode, Priority::metadata, [this, id, inode, wanted, room](const Error* error, const auto& list) {
        const Attribute* attribute = error == nullptr ? find_attribute(list, wanted) : nullptr;
        if (attribute == nullptr || !attribute->size || room == 0) {
            const Error none = error != nullptr ? *error : fail(ENODATA, wanted);
            end_wait(
                id,
                [attribute, room](fuse_req_t waiting) {
                    if (attribute->size) {
                        fuse_reply_xattr(waiting, *attribute->size);
                    } else {
                        reply_attribute(waiting, attribute->value, room);
                    }
                },
                attribute == nullptr ? &none : nullptr);
            return;
        }
        fetch_attribute(inode, wanted, [this, id, room](const Error* failed, const std::string& value) {
            end_wait(
                id, [&value, room](fuse_req_t waiting) { reply_attribute(waiting, value, room); }, failed);
        });
    });
}

void Filesystem::list_attributes(fuse_req_t request, std::uint64_t inode, std::size_t room) {
    if (!asks_for_attributes(request, inode, name_space, 0)) {
        return;
    }
    const PendingId id = wait_for_attribute(request, inode, "attributes");
    ask_attributes(inode, Priority::metadata, [this, id, room](const Error* error, const AttributeList& list) {
        std::string names;
        for (const auto& attribute : *list) {
            if (attribute.size.value_or(attribute.value.size()) <= shown_limit) {
                names += std::string(name_space) + attribute.name + '\0';
            }
        }
        end_wait(
            id, [&names, room](fuse_req_t waiting) { reply_attribute(waiting, names, room); }, error);
    });
}

void Filesystem::set_attribute(fuse_req_t request, std::uint64_t inode, std::string_view name,
                               const std::optional<std::string>& value, int flags) {
    if (!asks_for_attributes(request, inode, name, ENOTSUP)) {
        return;
    }
    if (value && value->size() > set_limit) {
        fuse_reply_err(request, E2BIG);
        return;
    }
    const std::string wanted(name.substr(name_space.size()));
    const PendingId id = wait_for_attribute(request, inode, "setting an attribute");
    ask_attributes(inode, Priority::metadata, [=, this](const Error* error, const AttributeList& list) {
        const bool there = error == nullptr && find_attribute(list, wanted) != nullptr;
        std::optional<Error> wrong = error != nullptr ? std::optional(*error) : std::nullopt;
        if (!wrong && there && (flags & XATTR_CREATE) != 0) {
            wrong = fail(EEXIST, wanted);
        } else if (!wrong && !there && (!value || (flags & XATTR_REPLACE) != 0)) {
            wrong = fail(ENODATA, wanted);
        }
        if (wrong) {
            end_wait(id, {}, &*wrong);
            return;
        }
        on_bound_file(
            inode, Priority::metadata,
            [wanted, value](Driver& driver, Key key) -> Result<void> {
                Attributes* attributes = driver.attributes();
                return attributes != nullptr ? attributes->set(key, wanted, value) : fail(ENOTSUP, wanted);
            },
            [this, id, inode](const Error* failed) {
                attributes_changed(inode);
                end_wait(
                    id, [](fuse_req_t waiting) { fuse_reply_err(waiting, 0); }, failed);
                go_on_with_tracks();
            });
    });
}

}  // namespace plugfs::kit
