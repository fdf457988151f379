// How much of the sandbox there is to be; set with -o.
#pragma once

#include "common/sandbox_layers.h"

#include <algorithm>
#include <set>
#include <string>

namespace plugfs {

struct SandboxOptions {
    bool off = false;       // -o sandbox=off: no layer at all, for debuggers and for the test that shows what it stops
    bool required = false;  // -o require_sandbox: a worker that lacks a layer does not run
    std::set<std::string> without;  // -o sandbox_without=LAYER+LAYER: left out, for the same purposes

    [[nodiscard]] bool has(const std::string& layer) const { return !off && without.count(layer) == 0; }
    [[nodiscard]] bool whole() const { return !off && without.empty(); }
    // What the worker is told to leave out, as its environment has it.
    [[nodiscard]] std::string left_out() const {
        std::string text;
        for (const auto* name : layer::all) {
            if (!has(name)) {
                text += (text.empty() ? "" : "+") + std::string(name);
            }
        }
        return text;
    }
};

}  // namespace plugfs
