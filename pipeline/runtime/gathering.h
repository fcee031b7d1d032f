// Gathers the texts behind a job's inputs (NIP-90 types url, event and job): pages of the web, events, other jobs'
// results. Only what is public is looked at, never our own ledger: an answer that was not delivered yet is its
// customer's alone.
#pragma once

#include <deque>
#include <memory>

#include "base/scheduler.h"
#include "pipeline/nostr/relays.h"
#include "pipeline/web/page_reader.h"

namespace runtime {

using base::Scheduler;
using nostr::Relays;
using web::PageReader;

inline constexpr std::size_t kMaxGatheredBytes = 256 * 1024;  // of one job's texts together
inline constexpr std::size_t kMaxGatheringsAtOnce = 8;
inline constexpr std::size_t kMaxGatheringsWaiting = 64;
inline constexpr std::int64_t kMaxGatheringMs = 60'000;  // for all inputs of a job, not counting how long it waited

struct Gathering {
  std::vector<ledger::InputSource> sources;
  std::size_t max_bytes = kMaxGatheredBytes;
  // The texts in the order of the sources, without disputed control characters, none of them blank; or an error whose
  // message tells the customer which input it was, why, and what would work: "gathering.failed" or "gathering.busy".
  std::function<void(base::Result<std::vector<std::string>>)> done;
};

// Some gatherings run at a time, more wait for their turn. Each takes its sources one after the other and tries each
// once. An event or a result is asked for on one relay after another: the relay that the customer names, then our own.
// Single-threaded; `done` is called exactly once, never inside start().
class Gatherer {
 public:
  // The ports must outlive it, and it must outlive every callback from them.
  Gatherer(Relays& relays, PageReader& web, Scheduler& scheduler, std::vector<std::string> own_relays)
      : relays_(relays), web_(web), scheduler_(scheduler), own_relays_(std::move(own_relays)) {}

  void start(Gathering gathering);

 private:
  class Search;
  void run(Gathering gathering);

  Relays& relays_;
  PageReader& web_;
  Scheduler& scheduler_;
  std::vector<std::string> own_relays_;
  std::size_t running_ = 0;
  std::deque<Gathering> waiting_;
};

}  // namespace runtime
