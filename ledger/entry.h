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

// An entry on its way into the ledger. `time` is already max(previous, now): the engine has evolved with it.
struct NewEntry {
  TimeMs time;
  JobId job;  // zero for facts about the shop
  Fact fact;
  std::vector<Text> texts;         // stored once each, under their refs
  std::vector<TextRef> gone = {};  // texts that are not kept, or no longer: an empty value takes their place
};

// Entries and cursors that become durable together. A cursor is a relay's URL and our clock (DESIGN: gap-free intake),
// or "books " and a kind of wallet, and how far what it lists was compared with the ledger.
struct Group {
  std::vector<NewEntry> entries;
  std::vector<std::pair<std::string, TimeMs>> cursors;
};

}  // namespace ledger
