// One entry of the ledger: its position, its header, its fact.
#pragma once

#include "ledger/fact.h"
#include "ledger/text.h"

namespace ledger {

using base::Seq;

struct Entry {
  Seq seq = 0;
  Header header;
  Fact fact;
};

// An entry on its way into the ledger. `time` is already max(previous, now); the engine has applied the fact at this
// time.
struct NewEntry {
  TimeMs time;
  JobId job;  // zero for facts about the shop
  Fact fact;
  std::vector<Text> texts;         // stored once each, under their refs
  std::vector<TextRef> gone = {};  // texts that are not stored or were pruned; an empty value is stored instead
};

// Entries and cursors that become durable together. A cursor is a name and a time: a relay's URL and the time up to
// which its events were taken in without a gap, or "books " with a kind of wallet and the time up to which
// its list was compared with the ledger.
struct Group {
  std::vector<NewEntry> entries;
  std::vector<std::pair<std::string, TimeMs>> cursors;
};

}  // namespace ledger
