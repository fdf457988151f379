#include "kit/filesystem/attribute_requests.h"

#include "common/log.h"

#include <sys/xattr.h>

#include <algorithm>
#include <utility>

namespace plugfs::kit {

namespace {

constexpr std::string_view name_space = "user.";
constexpr std::size_t cache_limit = 4096;   // files
constexpr std::size_t shown_limit = 65536;  // bytes: XATTR_SIZE_MAX, linux/limits.h
constexpr std::size_t set_limit = 65536;

const Attribute* find_attribute(const AttributeRequests::List& list, std::string_view name) {
    const auto found =
        std::find_if(list->begin(), list->end(), [name](const Attribute& item) { return item.name == name; });
    return found == list->end() ? nullptr : &*found;
}

// Every answer but an error is bytes, or how many there are.
void reply_attribute(fuse_req_t request, std::string_view value, std::size_t room) {
    if (room == 0) {
        fuse_reply_xattr(request, value.size());
    } else if (value.size() > room) {
        fuse_reply_err(request, ERANGE);
    } else {
        fuse_reply_buf(request, value.data(), value.size());
    }
}

}  // namespace

void AttributeRequests::ask(std::uint64_t inode, Priority priority,
                            const std::function<void(const Error*, const List&)>& done) {
    if (const auto known = known_.find(inode); known != known_.end()) {
        done(nullptr, List(known->second));
        return;
    }
    auto list = std::make_shared<std::vector<Attribute>>();
    const Node* node = core_.tree.find(inode);
    const std::uint64_t version = node != nullptr ? node->version : 0;
    jobs_.add(
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
            const Node* at = core_.tree.find(inode);
            if (error == nullptr && at != nullptr && at->version == version) {
                if (known_.size() >= cache_limit) {
                    known_.clear();
                }
                known_[inode] = list;
            }
            done(error, list);
        });
}

void AttributeRequests::fetch(std::uint64_t inode, const std::string& name,
                              const std::function<void(const Error*, const std::string&)>& done) {
    auto value = std::make_shared<std::string>();
    jobs_.add(
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

bool AttributeRequests::can_ask(fuse_req_t request, std::uint64_t inode, std::string_view name, int otherwise) {
    const Node* node = core_.tree.find(inode);
    if (node == nullptr) {
        fuse_reply_err(request, ESTALE);
        return false;
    }
    const bool possible = node->content == Content::driver && node->kind == Kind::file &&
                          name.starts_with(name_space) && (possible_ || !core_.start.done());
    if (!possible) {
        if (otherwise == 0) {
            fuse_reply_xattr(request, 0);
        } else {
            fuse_reply_err(request, otherwise);
        }
        return false;
    }
    return !core_.waiting.refuse(request);
}

WaitingRequests::Id AttributeRequests::wait(fuse_req_t request, std::uint64_t inode, const char* what) {
    return core_.waiting.add(request, [this, request, inode, what](const Error& error) {
        const Node* at = core_.tree.find(inode);
        core_.waiting.reply_error(request, error,
                                  std::string(what) + " of " + quoted(at != nullptr ? Tree::path(*at) : "?"));
    });
}

void AttributeRequests::end(WaitingRequests::Id id, const std::function<void(fuse_req_t)>& answer, const Error* error) {
    if (error != nullptr && error->code != ENODATA) {
        core_.waiting.fail(id, *error);
    } else if (const fuse_req_t request = core_.waiting.take(id)) {
        // That there is none is nothing that belongs into a log.
        error != nullptr ? (void)fuse_reply_err(request, ENODATA) : answer(request);
    }
}

void AttributeRequests::get(fuse_req_t request, std::uint64_t inode, std::string_view name, std::size_t room) {
    if (!can_ask(request, inode, name, ENODATA)) {
        return;
    }
    const std::string wanted(name.substr(name_space.size()));
    const WaitingRequests::Id id = wait(request, inode, "attribute");
    ask(inode, Priority::metadata, [this, id, inode, wanted, room](const Error* error, const auto& list) {
        const Attribute* attribute = error == nullptr ? find_attribute(list, wanted) : nullptr;
        if (attribute == nullptr || !attribute->size || room == 0) {
            const Error none = error != nullptr ? *error : fail(ENODATA, wanted);
            end(
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
        fetch(inode, wanted, [this, id, room](const Error* failed, const std::string& value) {
            end(
                id, [&value, room](fuse_req_t waiting) { reply_attribute(waiting, value, room); }, failed);
        });
    });
}

void AttributeRequests::list(fuse_req_t request, std::uint64_t inode, std::size_t room) {
    if (!can_ask(request, inode, name_space, 0)) {
        return;
    }
    const WaitingRequests::Id id = wait(request, inode, "attributes");
    ask(inode, Priority::metadata, [this, id, room](const Error* error, const List& list) {
        std::string names;
        for (const auto& attribute : *list) {
            if (attribute.size.value_or(attribute.value.size()) <= shown_limit) {
                names += std::string(name_space) + attribute.name + '\0';
            }
        }
        end(
            id, [&names, room](fuse_req_t waiting) { reply_attribute(waiting, names, room); }, error);
    });
}

void AttributeRequests::set(fuse_req_t request, std::uint64_t inode, std::string_view name,
                            const std::optional<std::string>& value, int flags) {
    if (!can_ask(request, inode, name, ENOTSUP)) {
        return;
    }
    if (value && value->size() > set_limit) {
        fuse_reply_err(request, E2BIG);
        return;
    }
    const std::string wanted(name.substr(name_space.size()));
    const WaitingRequests::Id id = wait(request, inode, "setting an attribute");
    ask(inode, Priority::metadata, [=, this](const Error* error, const List& list) {
        const bool there = error == nullptr && find_attribute(list, wanted) != nullptr;
        std::optional<Error> wrong = error != nullptr ? std::optional(*error) : std::nullopt;
        if (!wrong && there && (flags & XATTR_CREATE) != 0) {
            wrong = fail(EEXIST, wanted);
        } else if (!wrong && !there && (!value || (flags & XATTR_REPLACE) != 0)) {
            wrong = fail(ENODATA, wanted);
        }
        if (wrong) {
            end(id, {}, &*wrong);
            return;
        }
        jobs_.add(
            inode, Priority::metadata,
            [wanted, value](Driver& driver, Key key) -> Result<void> {
                Attributes* attributes = driver.attributes();
                return attributes != nullptr ? attributes->set(key, wanted, value) : fail(ENOTSUP, wanted);
            },
            [this, id, inode](const Error* failed) {
                forget(inode);
                end(
                    id, [](fuse_req_t waiting) { fuse_reply_err(waiting, 0); }, failed);
                on_set(inode);
            });
    });
}

}  // namespace plugfs::kit
