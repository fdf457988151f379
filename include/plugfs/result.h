// Result<T>: what a function that can fail returns.
//
// An error says three things: what went wrong (an errno value, which is what a program reading the files
// will see), at which stage, and the detail that a person needs to act on it. No exceptions are thrown for
// failures that a device or a user can cause.
#pragma once

#include <cerrno>
#include <cstring>
#include <string>
#include <utility>
#include <variant>

namespace plugfs {

struct Error {
    int code = EIO;      // an errno value, never 0
    std::string stage;   // where: "GetObjectInfo", "mount", "manifest mtp.json"
    std::string detail;  // what: names the field and the value; bytes from outside are quoted already

    // One line for a log: "stage: detail (strerror)".
    [[nodiscard]] std::string text() const {
        std::string line = stage;
        if (!detail.empty()) {
            line += (line.empty() ? "" : ": ") + detail;
        }
        return line + " (" + std::strerror(code) + ")";
    }
};

// Builds an Error; reads well in a return statement: return fail(EIO, "INQUIRY", "short answer");
[[nodiscard]] inline Error fail(int code, std::string stage, std::string detail = {}) {
    return Error{code, std::move(stage), std::move(detail)};
}

template <class T>
class [[nodiscard]] Result {
  public:
    Result(T value) : state_(std::in_place_index<0>, std::move(value)) {}
    Result(Error error) : state_(std::in_place_index<1>, std::move(error)) {}

    [[nodiscard]] bool ok() const { return state_.index() == 0; }
    explicit operator bool() const { return ok(); }

    // The value. Only when ok(); asking otherwise is a bug and ends the process (std::bad_variant_access).
    T& value() & { return std::get<0>(state_); }
    const T& value() const& { return std::get<0>(state_); }
    T&& value() && { return std::get<0>(std::move(state_)); }
    T& operator*() & { return value(); }
    const T& operator*() const& { return value(); }
    T&& operator*() && { return std::move(*this).value(); }
    T* operator->() { return &value(); }
    const T* operator->() const { return &value(); }

    // The error. Only when !ok().
    [[nodiscard]] const Error& error() const { return std::get<1>(state_); }

  private:
    std::variant<T, Error> state_;
};

template <>
class [[nodiscard]] Result<void> {
  public:
    Result() = default;
    Result(Error error) : error_(std::move(error)), failed_(true) {}

    [[nodiscard]] bool ok() const { return !failed_; }
    explicit operator bool() const { return ok(); }
    [[nodiscard]] const Error& error() const { return error_; }

  private:
    Error error_;
    bool failed_ = false;
};

}  // namespace plugfs

// Returns the error of `expression` from the enclosing function, or goes on.
#define PLUGFS_TRY(expression)                                             \
    do {                                                                   \
        if (auto&& plugfs_try_result = (expression); !plugfs_try_result) { \
            return plugfs_try_result.error();                              \
        }                                                                  \
    } while (false)

#define PLUGFS_CONCAT_(a, b) a##b
#define PLUGFS_CONCAT(a, b) PLUGFS_CONCAT_(a, b)
// NOLINTBEGIN(bugprone-macro-parentheses): a declaration cannot stand in parentheses
#define PLUGFS_ASSIGN_(temporary, target, expression) \
    auto temporary = (expression);                    \
    if (!temporary) {                                 \
        return temporary.error();                     \
    }                                                 \
    target = std::move(temporary).value()
// NOLINTEND(bugprone-macro-parentheses)

// PLUGFS_ASSIGN(auto size, read_size()); declares `size`, or returns the error.
#define PLUGFS_ASSIGN(target, expression) PLUGFS_ASSIGN_(PLUGFS_CONCAT(plugfs_result_, __LINE__), target, expression)
