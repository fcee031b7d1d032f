// One thread that owns the ledger and makes waiting groups durable together: however many wait, one append, one fsync.
#pragma once

#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <span>
#include <thread>
#include <vector>

#include "ledger/checkpoint.h"
#include "ledger/ledger.h"

namespace ledger {

class GroupCommit {
 public:
  // Called once on the writer thread, in the order of submission, when the group is durable or has failed. It must be
  // quick and must not throw: post the rest to your own thread.
  using Done = std::function<void(Result<void>)>;

  // Groups that may wait for the disk. At twelve entries per sale and 200 us per commit, honest traffic never reaches
  // this limit.
  static constexpr std::size_t kQueueLimit = 4096;

  explicit GroupCommit(std::unique_ptr<Ledger> ledger, std::size_t queue_limit = kQueueLimit);
  ~GroupCommit();  // stop()

  // Queues a group, from any thread. Fails with "ledger.queue_full" when the disk does not keep up, and with
  // "ledger.stopped" after stop(): then `done` is never called and nothing was taken.
  Result<void> submit(Group group, Done done);

  // Runs `task` on the writer thread after the groups queued so far are durable. Fails as submit() does.
  Result<void> submit_task(std::function<void(Ledger&)> task);

  // Finishes what is queued, then ends the thread. Not from the writer thread itself.
  void stop();

 private:
  struct Waiting {
    Group group;
    Done done;
    std::function<void(Ledger&)> task;  // instead of a group
  };

  Result<void> enqueue(Waiting waiting);
  void run();
  void append_groups(std::span<Waiting> waiting);

  std::unique_ptr<Ledger> ledger_;
  const std::size_t queue_limit_;
  std::mutex mutex_;
  std::condition_variable filled_;
  std::vector<Waiting> queue_;  // guarded by mutex_, like stopping_
  bool stopping_ = false;
  std::vector<Group> groups_;  // the writer thread's
  std::thread writer_;         // last: it uses all of the above
};

// Signs a checkpoint over the ledger as it is, and keeps it durably. Returns the signed note.
Result<std::string> make_checkpoint(Ledger& ledger, TimeMs time, const PublicKey& provider, const DigestSigner& sign);
// The same when the groups queued so far are durable. `done` is always called: on the writer thread, or, when nothing
// can be queued, at once on the calling thread.
void make_checkpoint(GroupCommit& commits, TimeMs time, const PublicKey& provider, DigestSigner sign,
                     std::function<void(Result<std::string> note)> done);

}  // namespace ledger
