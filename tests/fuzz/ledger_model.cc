// The input is a program of what can happen to a ledger: appends, refusals, failing and crashing disks, restarts,
// checkpoints, views made anew, bits that turn over. After each step the ledger is compared with a plain list.
#include <map>
#include <memory>

#include "ledger/checkpoint.h"
#include "ledger/ledger.h"
#include "ledger/reader.h"
#include "ledger/verify.h"
#include "pipeline/nostr/keys.h"
#include "tests/fuzz/fuzz.h"
#include "tests/support/sample_ledger.h"
#include "tests/support/sim_disk.h"

namespace {

using fuzz::Choices;
using fuzz::require;
using namespace base;
using namespace ledger;
using sim::Fault;

constexpr std::size_t kMostSteps = 24;
constexpr std::size_t kMostEntries = 600;  // two full tiles and a partial one

const nostr::SecretKey& key() {
  static const nostr::SecretKey instance = *nostr::SecretKey::from_text(std::string(63, '0') + "3");
  return instance;
}

// RFC 6962, section 2.1, as it is defined.
Hash256 model_root(std::span<const Hash256> leaves) {
  if (leaves.empty()) return empty_root();
  if (leaves.size() == 1) return leaves[0];
  const std::size_t left = std::bit_floor(leaves.size() - 1);
  return node_hash(model_root(leaves.first(left)), model_root(leaves.subspan(left)));
}

// What is durable.
struct Model {
  std::vector<NewEntry> entries;
  std::vector<Hash256> leaves;
  Hash256 root = empty_root();
  std::map<std::string, TimeMs> cursors;
  std::map<Seq, std::string> checkpoints;

  TimeMs last_time() const { return entries.empty() ? TimeMs{} : entries.back().time; }

  void append(const std::vector<Group>& groups) {
    for (const Group& group : groups) {
      for (const NewEntry& entry : group.entries) {
        entries.push_back(entry);
        leaves.push_back(leaf_hash(encode_entry(entry).header_bytes));
      }
      for (const auto& [relay, time] : group.cursors) cursors[relay] = time;
    }
    root = model_root(leaves);
  }

  // The rows of sim::SampleView.
  std::map<std::string, std::string> rows() const {
    std::map<std::string, std::uint64_t> counts;
    for (const NewEntry& entry : entries) {
      ++counts["job/" + entry.job.hex()];
      ++counts["type/" + std::to_string(type_of(entry.fact))];
    }
    std::map<std::string, std::string> out;
    for (const auto& [name, count] : counts) out.emplace(name, std::to_string(count));
    return out;
  }
};

class World {
 public:
  World() { open(Fault::none); }

  void step(Choices& choices) {
    switch (choices.byte() % 8) {
      case 0:
      case 1:
        return append(groups(choices), fault(choices));
      case 2:
        return append_out_of_order(choices);
      case 3:
        return put_checkpoint(fault(choices));
      case 4:
        return open(fault(choices));
      case 5:
        return rebuild_views(choices);
      case 6:
        return open_with_other_views();
      default:
        return damage(choices);
    }
  }

  // All of it; the steps look at the end only.
  void check_all() const {
    const Reader reader(disk_);
    Seq next = 0;
    const auto read = reader.for_each(0, model_.entries.size(), [&](const Entry& entry) {
      check_entry(entry, next++);
      return true;
    });
    require(read.has_value() && next == model_.entries.size(), "every entry can be read");
    std::map<std::string, std::string> rows;
    const auto scanned = reader.rows("sample", {}, {}, [&](std::string_view name, std::string_view value) {
      return rows.emplace(name, value).second;
    });
    require(scanned && rows == model_.rows(), "views are those of the entries");
    const auto verified = verify_ledger(disk_);
    require(verified && verified->findings.empty(), "the ledger is whole");
    require(verified->root == model_.root, "its root is that of RFC 6962");
    if (!model_.entries.empty()) check_proofs(model_.entries.size() - 1);
  }

 private:
  static Fault fault(Choices& choices) {
    static constexpr Fault kFaults[] = {Fault::fail_lost, Fault::fail_kept, Fault::crash_before, Fault::crash_after};
    const std::uint8_t choice = choices.byte();
    return choice % 3 != 2 ? Fault::none : kFaults[choice / 3 % std::size(kFaults)];
  }

  // Who sells comes first: checkpoints are theirs.
  NewEntry entry(Choices& choices, TimeMs after) const {
    NewEntry out = sim::sample_entry(choices.byte());
    if (model_.entries.empty() && after == TimeMs{}) {
      out.fact = ProviderConfigured{.provider = key().public_key()};
      out.job = {};
      out.texts = {};
    }
    out.time = after + choices.byte() % 4;
    return out;
  }

  std::vector<Group> groups(Choices& choices) const {
    std::vector<Group> out(choices.below(4));
    TimeMs time = model_.last_time();
    for (Group& group : out) {
      const std::uint8_t size = choices.byte();
      for (std::size_t left = size < 250 ? size % 8 : size; left > 0; --left) {
        group.entries.push_back(entry(choices, time));
        time = std::max(group.entries.back().time, TimeMs{1});
        group.entries.back().time = time;
      }
      if (choices.byte() % 2 == 0) group.cursors = {{"wss://relay." + std::to_string(size % 3), time}};
    }
    return out;
  }

  // Runs one write on the disk with this fault; true if what it wrote is durable.
  template <class Write>
  bool write(Fault fault, Write write) {
    disk_.on_commit([fault](auto, auto&) { return fault; });
    try {
      const Result<void> done = write();
      require(done.has_value() == (fault == Fault::none), "a write fails exactly when the disk does");
    } catch (const sim::Crashed&) {
      require(fault == Fault::crash_before || fault == Fault::crash_after, "only crashes crash");
    }
    disk_.on_commit({});
    return fault != Fault::fail_lost && fault != Fault::crash_before;
  }

  void restart_after(Fault fault) {
    if (fault == Fault::none) return;
    if (fault == Fault::fail_lost || fault == Fault::fail_kept) {
      const std::uint64_t commits = disk_.commits();
      const Group nothing;
      require(ledger_->append({&nothing, 1}).error().code == "ledger.failed", "after a failure nothing is written");
      require(ledger_->put_checkpoint(0, "").error().code == "ledger.failed", "after a failure nothing is kept");
      require(disk_.commits() == commits, "a failed disk is left alone");
    }
    disk_.crash();
    open(Fault::none);
  }

  void append(const std::vector<Group>& groups, Fault fault) {
    std::size_t size = model_.entries.size();
    for (const Group& group : groups) size += group.entries.size();
    if (size > kMostEntries) return;
    if (write(fault, [&] { return ledger_->append(groups); })) model_.append(groups);
    restart_after(fault);
  }

  void append_out_of_order(Choices& choices) {
    if (model_.entries.empty()) return;
    Group late;
    late.entries = {entry(choices, model_.last_time()), entry(choices, model_.last_time())};
    late.entries[choices.below(2)].time = model_.last_time() - 1;
    const std::uint64_t commits = disk_.commits();
    const auto refused = ledger_->append({&late, 1});
    require(!refused && refused.error().code == "ledger.time_order", "time does not go back");
    require(disk_.commits() == commits, "what is refused is not written");
  }

  void put_checkpoint(Fault fault) {
    if (model_.entries.empty()) return;
    const TreeHead head = ledger_->head();
    const auto note = sign_checkpoint({head.size, head.root, ledger_->last_time()}, key().public_key(),
                                      [](const Hash256& digest) { return key().sign(digest.view(), {}); });
    if (write(fault, [&] { return ledger_->put_checkpoint(head.size, *note); })) model_.checkpoints[head.size] = *note;
    restart_after(fault);
  }

  // Only a ledger without entries is written at its opening.
  void open(Fault fault) {
    ledger_.reset();
    const auto opened = [&]() -> Result<void> {
      auto out = Ledger::open(disk_, {&view_});
      if (!out) return tl::unexpected(out.error());
      ledger_ = std::move(*out);
      return {};
    };
    const bool written = model_.entries.empty();
    write(written ? fault : Fault::none, opened);
    if (written && fault != Fault::none) {
      disk_.crash();
      write(Fault::none, opened);
    }
    require(ledger_ != nullptr, "a ledger can be opened again");
  }

  void rebuild_views(Choices& choices) {
    ledger_.reset();
    const std::uint64_t last = disk_.commits() + choices.below(4);
    const Fault when_last = fault(choices);
    disk_.on_commit([&](std::uint64_t number, auto&) { return number == last ? when_last : Fault::none; });
    bool done = false;
    try {
      done = ledger::rebuild_views(disk_, {&view_}).has_value();
    } catch (const sim::Crashed&) {
    }
    disk_.on_commit({});
    disk_.crash();
    if (!done) {
      const auto stale = Ledger::open(disk_, {&view_});
      require(stale || stale.error().code == "ledger.views_stale", "views that are not whole are not used");
      require(ledger::rebuild_views(disk_, {&view_}).has_value(), "views can always be made anew");
    }
    open(Fault::none);
  }

  void open_with_other_views() {
    sim::SampleView other(2);
    ledger_.reset();
    const auto refused = Ledger::open(disk_, {&other});
    require(refused.has_value() == model_.entries.empty(), "views of another version are not used");
    require(refused || refused.error().code == "ledger.views_stale", "and it is said why");
    open(Fault::none);
  }

  // On a copy: a bit of an entry or a tile turns over.
  void damage(Choices& choices) {
    if (model_.entries.empty()) return;
    const Seq seq = choices.below(model_.entries.size());
    const bool tile = choices.byte() % 4 == 0;
    sim::SimDisk copy = disk_;
    const std::size_t bit = choices.below(2048);
    const bool flipped = tile ? copy.flip_bit(Family::tiles, TileId{0, seq / kTileWidth}.key(), bit)
                              : copy.flip_bit(Family::entries, entry_key(seq), bit);
    const auto verified = verify_ledger(copy);
    require(verified && verified->findings.empty() == !flipped, "a bit that turned over is found");
  }

 public:
  void check() const {
    require(ledger_->size() == model_.entries.size(), "the ledger is as long as the list");
    require(ledger_->last_time() == model_.last_time(), "its time is that of the last entry");
    require(ledger_->root() == model_.root, "its root is that of RFC 6962");
    const Reader reader(disk_);
    for (const auto& [relay, time] : model_.cursors) {
      const auto cursor = reader.cursor(relay);
      require(cursor && *cursor == time, "cursors are those that were written");
    }
    const auto checkpoints = reader.checkpoints();
    require(checkpoints && checkpoints->size() == model_.checkpoints.size(), "every checkpoint is kept");
    if (model_.entries.empty()) return;
    const Seq last = model_.entries.size() - 1;
    const auto entry = reader.entry(last);
    require(entry.has_value(), "the last entry can be read");
    check_entry(*entry, last);
    require(reader.entry(last + 1).error().code == "ledger.no_entry", "and nothing after it");
  }

 private:
  void check_entry(const Entry& entry, Seq seq) const {
    const NewEntry& given = model_.entries[seq];
    require(entry.seq == seq && entry.header.time == given.time && entry.header.job == given.job &&
                encode_facts(entry.fact) == encode_facts(given.fact),
            "an entry is the one that was given");
    for (const Text& text : given.texts) {
      const auto stored = Reader(disk_).text(ref(text));
      require(stored && *stored == text.bytes, "a text is the one that was given");
    }
  }

  void check_proofs(Seq index) const {
    const Reader reader(disk_);
    const auto tree = reader.tree();
    const auto proof = tree->inclusion_proof(index, model_.leaves.size(), reader.tile_reader());
    require(proof && verify_inclusion(model_.leaves[index], index, model_.leaves.size(), *proof, ledger_->root()),
            "the last entry can be shown to be there");
    const Seq half = model_.leaves.size() / 2;
    const auto before = tree->consistency_proof(half, model_.leaves.size(), reader.tile_reader());
    require(before && verify_consistency(half, model_root(std::span(model_.leaves).first(half)), model_.leaves.size(),
                                         ledger_->root(), *before),
            "the ledger can be shown to have grown only");
  }

  sim::SimDisk disk_;
  sim::SampleView view_;
  std::unique_ptr<Ledger> ledger_;
  Model model_;
};

}  // namespace

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  Choices choices(fuzz::text_of(data, size));
  World world;
  for (std::size_t steps = 0; !choices.empty() && steps < kMostSteps; ++steps) {
    world.step(choices);
    world.check();
  }
  world.check_all();
  return 0;
}
