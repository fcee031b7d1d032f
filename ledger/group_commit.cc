#include "ledger/group_commit.h"

#include <algorithm>
#include <utility>

#include "base/check.h"

namespace ledger {

GroupCommit::GroupCommit(std::unique_ptr<Ledger> ledger, std::size_t queue_limit)
    : ledger_(std::move(ledger)), queue_limit_(queue_limit), writer_([this] { run(); }) {}

GroupCommit::~GroupCommit() {
  stop();
}

Result<void> GroupCommit::submit(Group group, Done done) {
  return enqueue({.group = std::move(group), .done = std::move(done), .task = {}});
}

Result<void> GroupCommit::submit_task(std::function<void(Ledger&)> task) {
  return enqueue({.group = {}, .done = {}, .task = std::move(task)});
}

Result<void> GroupCommit::enqueue(Waiting waiting) {
  CHECK((waiting.done != nullptr) != (waiting.task != nullptr));  // a group, or a task
  {
    const std::lock_guard lock(mutex_);
    if (stopping_) return fail(ErrorKind::invocation, "ledger.stopped", "the ledger is being closed");
    if (queue_.size() >= queue_limit_) {
      return fail(ErrorKind::invocation, "ledger.queue_full",
                  std::to_string(queue_limit_) + " groups wait for the disk already", {}, "the disk does not keep up");
    }
    queue_.push_back(std::move(waiting));
  }
  filled_.notify_one();
  return {};
}

void GroupCommit::stop() {
  CHECK(std::this_thread::get_id() != writer_.get_id());  // it would wait for itself
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  filled_.notify_one();
  if (writer_.joinable()) writer_.join();
}

void GroupCommit::run() {
  std::vector<Waiting> taken;
  for (;;) {
    taken.clear();
    {
      std::unique_lock lock(mutex_);
      filled_.wait(lock, [this] { return stopping_ || !queue_.empty(); });
      if (queue_.empty()) return;
      taken.swap(queue_);
    }
    auto from = taken.begin();
    while (from != taken.end()) {
      const auto until = std::find_if(from, taken.end(), [](const Waiting& w) { return w.task != nullptr; });
      append_groups({from, until});
      from = until;
      if (from != taken.end()) (from++)->task(*ledger_);
    }
  }
}

void GroupCommit::append_groups(std::span<Waiting> waiting) {
  if (waiting.empty()) return;
  groups_.clear();
  for (Waiting& w : waiting) groups_.push_back(std::move(w.group));
  CHECK(groups_.size() == waiting.size(), groups_.size(), waiting.size());
  const Result<void> result = ledger_->append(groups_);
  for (Waiting& w : waiting) w.done(result);
}

Result<std::string> make_checkpoint(Ledger& ledger, TimeMs time, const PublicKey& provider, const DigestSigner& sign) {
  auto note = sign_checkpoint({.size = ledger.size(), .root = ledger.root(), .time = time}, provider, sign);
  if (!note) return note;
  if (const auto kept = ledger.put_checkpoint(ledger.size(), *note); !kept) return tl::unexpected(kept.error());
  return note;
}

void make_checkpoint(GroupCommit& commits, TimeMs time, const PublicKey& provider, DigestSigner sign,
                     std::function<void(Result<std::string> note)> done) {
  const auto queued = commits.submit_task([time, provider, sign = std::move(sign), done](Ledger& ledger) {
    done(make_checkpoint(ledger, time, provider, sign));
  });
  if (!queued) done(tl::unexpected(queued.error()));
}

}  // namespace ledger
