// Fault injection: faults [--count N] [--seed S] [--victims N] STAGE
//
// In the manner of the MINIX 3 drivers' tests (Herder et al., "Fault Isolation for Device Drivers", 2009): plugfsd
// serves virtual players; faults (injector.h) are put into the drivers of some of them while they serve, one after the
// other, all drivers at the same time. After each, the driver's file is read and compared until that works: the time
// from the fault to there is what is measured. Meanwhile neighbours read and compare all the time.
//
// Prints a table of what followed, by kind of fault. Exit status 1 if the supervisor has died, a mount was lost, a
// neighbour has seen anything, or a driver has not come back within its deadline.

#include "accounts.h"
#include "injector.h"
#include "reader.h"
#include "rig.h"

#include <getopt.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <mutex>
#include <optional>
#include <utility>

using namespace plugfs;
using namespace plugfs::faults;

namespace {

using Clock = std::chrono::steady_clock;
constexpr unsigned neighbours = 2;
// A driver gives a transfer that does not come 30 s, and then begins anew with its device.
constexpr std::chrono::seconds deadline{75};
constexpr std::chrono::seconds patience{40};
constexpr std::chrono::milliseconds poll_interval{2};
constexpr std::chrono::seconds progress_interval{30};
constexpr std::string_view usage =
    "usage: faults [--count N] [--seed S] [--victims N] [--only KIND] STAGE (as root)\n"
    "Puts N faults (1000) into the drivers of some players (8, 64 at most) and prints what followed. KIND is \"heap "
    "bit\" or\n"
    "another from the table. What a driver had in its vault that does not come back is kept, and its name printed.\n"
    "Example, half an hour on two cores: build/tests/faults/faults --count 200000 --victims 56 build/stage\n";

// One player whose driver gets the faults; a thread of its own.
class Victim {
  public:
    Victim(const Rig& rig, unsigned player, std::uint64_t seed, std::optional<Fault> only)
        : rig_(rig), player_(player), only_(only), injector_(seed), probe_(rig.file(player), rig.content()) {}

    void run(std::atomic<long>& left) {
        while (left.fetch_sub(1) > 0 && rig_.supervisor_lives()) {
            one();
        }
    }
    [[nodiscard]] const Accounts& accounts() const { return accounts_; }

  private:
    void one() {
        const pid_t worker = wait_for_worker();
        const Fault fault = only_ ? *only_ : injector_.choose();
        Account& account = accounts_.at(static_cast<std::size_t>(fault));
        const auto begin = Clock::now();
        if (worker <= 0 || !injector_.inject(worker, fault, [this] { probe_.begin(some_offset()); })) {
            ++account.missed;
        } else {
            ++account.injected;
        }
        const auto until = begin + deadline;
        bool by_hand = false;
        bool saw_error = false;
        bool saw_wrong = false;
        while (true) {
            const auto result = probe_.read(some_offset(), until);
            if (!result) {
                ++account.late;
                return report("not back after", fault, worker);
            }
            if (*result == ReadResult::good) {
                break;
            }
            saw_error |= *result == ReadResult::error;
            saw_wrong |= *result == ReadResult::wrong;
            std::this_thread::sleep_for(poll_interval);
            // A driver whose code is damaged may live and give wrong answers for ever: a person sees that, and replaces
            // it.
            if (Clock::now() - begin > patience && !std::exchange(by_hand, true)) {
                ++account.by_hand;
                rig_.restart(player_);
            }
            if (Clock::now() > until) {
                ++account.late;
                return report("reads fail since", fault, worker);
            }
        }
        const std::chrono::duration<float, std::milli> took = Clock::now() - begin;
        const bool replaced = rig_.worker(player_) != worker;
        account.errors += saw_error ? 1 : 0;
        account.wrong += saw_wrong ? 1 : 0;
        account.replaced += replaced ? 1 : 0;
        account.nothing += saw_error || saw_wrong || replaced ? 0 : 1;
        if (saw_error || replaced) {
            account.back_ms.push_back(took.count());
        }
    }

    void report(const char* what, Fault fault, pid_t worker) {
        std::fprintf(stderr, "player %u: %s \"%s\" in process %d: %s; %s; %s\n", player_, what,
                     std::string(fault_names.at(static_cast<std::size_t>(fault))).c_str(), worker,
                     rig_.state(player_).c_str(), first_line(rig_.control(player_, "last-error")).c_str(),
                     probe_.problem().c_str());
        std::fprintf(stderr, "%s\n", rig_.keep(player_).c_str());
        rig_.restart(player_);
    }

    std::size_t some_offset() { return injector_.below(rig_.content().size()); }

    pid_t wait_for_worker() {
        const auto until = Clock::now() + deadline;
        while (rig_.state(player_) != "running" && Clock::now() < until) {
            std::this_thread::sleep_for(poll_interval);
        }
        return rig_.worker(player_);
    }

    const Rig& rig_;
    unsigned player_;
    std::optional<Fault> only_;
    Injector injector_;
    Probe probe_;
    Accounts accounts_;
};

volatile std::sig_atomic_t interrupted = 0;

// Until the last fault has been begun with, or somebody has had enough: what has been done by then is in the table.
void report_progress(std::atomic<long>& left, long count, const Rig& rig) {
    for (const int number : {SIGINT, SIGTERM}) {
        (void)std::signal(number, [](int) { interrupted = 1; });
    }
    auto next = Clock::now() + progress_interval;
    while (left > 0 && rig.supervisor_lives()) {
        std::this_thread::sleep_for(std::chrono::milliseconds(50));
        if (interrupted != 0) {
            left = 0;
        } else if (Clock::now() >= next) {
            std::fprintf(stderr, "%ld of %ld faults\n", count - left, count);
            next += progress_interval;
        }
    }
}

struct Settings {
    std::string stage;
    long count = 1000;
    std::uint64_t seed = 1;
    unsigned victims = 8;
    std::optional<Fault> only;
};

int run(const Settings& settings) {
    auto made = Rig::create(settings.stage, settings.victims, neighbours);
    if (!made) {
        std::fprintf(stderr, "%s\n", made.error().text().c_str());
        return 1;
    }
    const Rig& rig = **made;
    std::vector<std::unique_ptr<Neighbour>> beside;
    for (unsigned i = 0; i < neighbours; ++i) {
        beside.push_back(std::make_unique<Neighbour>(rig.file(settings.victims + i), rig.content()));
    }
    const std::size_t memory = rig.supervisor_memory();
    std::atomic<long> left = settings.count;
    std::vector<std::unique_ptr<Victim>> victims;
    std::vector<std::thread> threads;
    const auto begin = Clock::now();
    for (unsigned i = 0; i < settings.victims; ++i) {
        victims.push_back(std::make_unique<Victim>(rig, i, settings.seed * 1000 + i, settings.only));
        threads.emplace_back([&left, victim = victims.back().get()] { victim->run(left); });
    }
    report_progress(left, settings.count, rig);
    for (auto& thread : threads) {
        thread.join();
    }
    const std::chrono::duration<double> took = Clock::now() - begin;

    Accounts accounts;
    for (const auto& victim : victims) {
        for (std::size_t i = 0; i < fault_count; ++i) {
            accounts.at(i).add(victim->accounts().at(i));
        }
    }
    unsigned long late = 0;
    unsigned long by_hand = 0;
    unsigned long done = 0;
    for (const auto& account : accounts) {
        done += account.injected + account.missed;
        late += account.late;
        by_hand += account.by_hand;
    }
    const bool lives = rig.supervisor_lives();
    unsigned lost = 0;
    for (unsigned i = 0; i < settings.victims + neighbours; ++i) {
        lost += rig.mounted(i) ? 0 : 1;
    }
    print_table(accounts);
    unsigned long disturbed = 0;
    for (const auto& one : beside) {
        disturbed += one->errors + one->wrong;
        std::printf("neighbour: %lu reads, %lu errors, %lu wrong, the slowest took %.1f ms\n", one->reads.load(),
                    one->errors.load(), one->wrong.load(), static_cast<double>(one->slowest_us) / 1000);
    }
    std::printf("%.0f s, %.0f faults a second; the supervisor's memory: %zu KiB before, %zu after\n", took.count(),
                static_cast<double>(done) / took.count(), memory, rig.supervisor_memory());
    std::printf("%lu drivers lived, answered wrongly for %lld s, and were replaced by hand\n", by_hand,
                static_cast<long long>(patience.count()));
    std::printf("%d supervisor deaths, %u lost mounts, %lu disturbed neighbours, %lu not back in time\n", lives ? 0 : 1,
                lost, disturbed, late);
    const bool well = lives && lost == 0 && disturbed == 0 && late == 0;
    if (interrupted != 0) {
        std::printf("interrupted after %lu of %ld faults\n", done, settings.count);
    } else if (!well) {
        std::printf("%s\n", rig.log().c_str());
    }
    std::fflush(stdout);
    return well && interrupted == 0 ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
    Settings settings;
    constexpr option options[] = {
        {"count", required_argument, nullptr, 'n'},   {"seed", required_argument, nullptr, 's'},
        {"victims", required_argument, nullptr, 'v'}, {"only", required_argument, nullptr, 'o'},
        {"help", no_argument, nullptr, 'h'},          {nullptr, 0, nullptr, 0}};
    int which = 0;
    while ((which = ::getopt_long(argc, argv, "", options, nullptr)) != -1) {
        if (which == 'n') {
            settings.count = std::strtol(optarg, nullptr, 10);
        } else if (which == 's') {
            settings.seed = std::strtoull(optarg, nullptr, 10);
        } else if (which == 'v') {
            settings.victims = static_cast<unsigned>(std::clamp(std::strtol(optarg, nullptr, 10), 1L, 64L));
        } else if (which == 'o') {
            const auto* const found = std::ranges::find(fault_names, std::string_view(optarg));
            if (found == fault_names.end()) {
                std::fprintf(stderr, "there is no fault \"%s\"\n", optarg);
                return 2;
            }
            settings.only = static_cast<Fault>(found - fault_names.begin());
        } else if (which == 'h') {
            std::fputs(usage.data(), stdout);
            return 0;
        } else {
            return 2;
        }
    }
    if (optind + 1 != argc || settings.count < 1 || ::geteuid() != 0) {
        std::fputs(usage.data(), stderr);
        return 2;
    }
    settings.stage = argv[optind];
    return run(settings);
}
