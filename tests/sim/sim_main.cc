// Simulates many seeds and prints what happened.
// usage: sim [--seeds N] [--first N] [--minutes N] [--threads N]   many seeds; exit 1 if any breaks a promise
//        sim --seed N [--keep FOLDER]                              one, told at length; its ledger is kept in FOLDER
#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cxxopts.hpp>
#include <iostream>
#include <mutex>
#include <thread>

#include "ledger/rocksdb_store.h"
#include "tests/sim/simulation.h"

namespace {

using Clock = std::chrono::steady_clock;

struct Totals {
  std::uint64_t seeds = 0;
  std::uint64_t requests = 0;
  std::uint64_t sales = 0;
  std::uint64_t entries = 0;
  std::uint64_t steps = 0;
  std::uint64_t deaths = 0;
  sim::MishapCounts mishaps{};
  std::vector<sim::Outcome> broken;

  void add(const sim::Outcome& outcome) {
    ++seeds;
    requests += outcome.requests;
    sales += outcome.sales;
    entries += outcome.entries;
    steps += outcome.steps;
    deaths += outcome.deaths;
    for (std::size_t i = 0; i < sim::kMishaps; ++i) mishaps[i] += outcome.mishaps[i];
    if (outcome.violation) broken.push_back(outcome);
  }
};

void print_broken(const sim::Outcome& outcome, const std::string& program) {
  std::cout << "seed " << outcome.seed << " broke a promise: " << *outcome.violation
            << "\n  again, with its ledger: " << program << " --seed " << outcome.seed << " --keep seed-"
            << outcome.seed << "\n";
}

void print(const Totals& totals, double seconds) {
  std::cout << "what went wrong                      times\n";
  for (std::size_t i = 0; i < sim::kMishaps; ++i) {
    std::printf("  %-32s %9llu\n", std::string(sim::name(static_cast<sim::Mishap>(i))).c_str(),
                static_cast<unsigned long long>(totals.mishaps[i]));
  }
  std::cout << std::flush;
  std::printf(
      "%llu seeds, %llu requests, %llu sales, %llu facts, %llu steps, %llu deaths in %.0f s: %zu seeds broke a "
      "promise\n",
      static_cast<unsigned long long>(totals.seeds), static_cast<unsigned long long>(totals.requests),
      static_cast<unsigned long long>(totals.sales), static_cast<unsigned long long>(totals.entries),
      static_cast<unsigned long long>(totals.steps), static_cast<unsigned long long>(totals.deaths), seconds,
      totals.broken.size());
}

// A run of the usual length must have met every kind of fault, or it shows less than it claims.
constexpr std::uint64_t kSeedsForEveryFault = 500;

bool all_reached(const Totals& totals) {
  bool all = true;
  for (std::size_t i = 0; i < sim::kMishaps; ++i) {
    if (totals.mishaps[i] > 0) continue;
    std::cout << "never happened: " << sim::name(static_cast<sim::Mishap>(i)) << "\n";
    all = false;
  }
  return all;
}

int run_many(std::uint64_t first, std::uint64_t seeds, double minutes, unsigned threads, const std::string& program) {
  const auto start = Clock::now();
  const auto elapsed = [start] { return std::chrono::duration<double>(Clock::now() - start).count(); };
  std::atomic<std::uint64_t> next = first;
  std::mutex mutex;
  Totals totals;
  const auto work = [&] {
    for (;;) {
      const std::uint64_t seed = next++;
      if (minutes > 0 ? elapsed() > minutes * 60 : seed >= first + seeds) return;
      const sim::Outcome outcome = sim::simulate(seed);
      const std::lock_guard lock(mutex);
      totals.add(outcome);
      if (outcome.violation) print_broken(outcome, program);
    }
  };
  std::vector<std::thread> workers;
  for (unsigned i = 0; i < threads; ++i) workers.emplace_back(work);
  for (auto& worker : workers) worker.join();
  print(totals, elapsed());
  if (!totals.broken.empty()) {
    std::cout << "the first of them: ";
    print_broken(*std::ranges::min_element(totals.broken, {}, &sim::Outcome::seed), program);
  }
  const bool complete = totals.seeds < kSeedsForEveryFault || all_reached(totals);
  return totals.broken.empty() && complete ? 0 : 1;
}

// Copies the simulated disk into a real ledger, for `sellcompute replay`.
bool keep(const sim::SimDisk& disk, const std::string& folder) {
  auto store = ledger::open_writer(folder);
  if (!store) {
    std::cerr << store.error().describe() << "\n";
    return false;
  }
  using ledger::Family;
  for (const Family family : {Family::entries, Family::texts, Family::tiles, Family::views, Family::meta}) {
    ledger::Batch batch;
    const auto read = disk.scan(family, {}, {}, [&](auto key, auto value) {
      batch.put(family, std::string(key), std::string(value));
      return true;
    });
    if (!read || !(*store)->commit(batch)) return false;
  }
  return true;
}

int run_one(std::uint64_t seed, const std::string& folder, const std::string& program) {
  sim::SimDisk disk;
  Totals totals;
  totals.add(sim::simulate(seed, &disk));
  print(totals, 0);
  if (!folder.empty()) {
    if (!keep(disk, folder + "/ledger")) return 1;
    std::cout << "its ledger is in " << folder << "; look at it with\n  sellcompute --data-dir " << folder
              << " jobs list\n  sellcompute --data-dir " << folder << " replay --job JOB\n";
  }
  for (const auto& outcome : totals.broken) print_broken(outcome, program);
  return totals.broken.empty() ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    cxxopts::Options options("sim", "The provider, simulated with everything that can go wrong");
    options.add_options()("seeds", "how many", cxxopts::value<std::uint64_t>()->default_value("500"))(
        "first", "the first seed", cxxopts::value<std::uint64_t>()->default_value("1"))(
        "minutes", "as many seeds as fit, instead", cxxopts::value<double>()->default_value("0"))(
        "threads", "seeds at a time",
        cxxopts::value<unsigned>()->default_value(std::to_string(std::max(1u, std::thread::hardware_concurrency()))))(
        "seed", "only this one", cxxopts::value<std::uint64_t>())(
        "keep", "a folder for the ledger of that one", cxxopts::value<std::string>()->default_value(""))("help", "");
    const auto given = options.parse(argc, argv);
    if (given.count("help") > 0) {
      std::cout << options.help();
      return 0;
    }
    if (given.count("seed") > 0)
      return run_one(given["seed"].as<std::uint64_t>(), given["keep"].as<std::string>(), argv[0]);
    return run_many(given["first"].as<std::uint64_t>(), given["seeds"].as<std::uint64_t>(),
                    given["minutes"].as<double>(), given["threads"].as<unsigned>(), argv[0]);
  } catch (const std::exception& error) {
    std::cerr << "sim: " << error.what() << "\n";
    return 2;
  }
}
