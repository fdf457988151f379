#include "accounts.h"

#include <algorithm>
#include <cstddef>
#include <cstdio>
#include <string>
#include <string_view>

namespace plugfs::faults {

namespace {

float percentile(std::vector<float>& times, double part) {
    if (times.empty()) {
        return 0;
    }
    const auto at = std::min(times.size() - 1, static_cast<std::size_t>(part * static_cast<double>(times.size())));
    std::nth_element(times.begin(), times.begin() + static_cast<std::ptrdiff_t>(at), times.end());
    return times.at(at);
}

void print_row(std::string_view name, Account& account) {
    std::printf("%-16s %8lu %7lu %8lu %7lu %7lu %8lu %5lu %9.1f %9.1f %9.1f\n", std::string(name).c_str(),
                account.injected, account.missed, account.nothing, account.errors, account.wrong, account.replaced,
                account.late, percentile(account.back_ms, 0.5), percentile(account.back_ms, 0.99),
                percentile(account.back_ms, 1));
}

}  // namespace

void Account::add(const Account& other) {
    injected += other.injected;
    missed += other.missed;
    nothing += other.nothing;
    errors += other.errors;
    wrong += other.wrong;
    replaced += other.replaced;
    late += other.late;
    by_hand += other.by_hand;
    back_ms.insert(back_ms.end(), other.back_ms.begin(), other.back_ms.end());
}

void print_table(Accounts& accounts) {
    std::printf("%-16s %8s %7s %8s %7s %7s %8s %5s %9s %9s %9s\n", "fault", "injected", "missed", "nothing", "errors",
                "wrong", "replaced", "late", "p50 ms", "p99 ms", "max ms");
    Account all;
    for (std::size_t i = 0; i < fault_count; ++i) {
        print_row(fault_names.at(i), accounts.at(i));
        all.add(accounts.at(i));
    }
    print_row("all", all);
}

}  // namespace plugfs::faults
