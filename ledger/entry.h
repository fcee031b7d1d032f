// One entry of the ledger: its position, its header, its fact.
#pragma once

#include "ledger/event.h"
#include "ledger/text.h"

namespace ledger {

struct Entry {
  Seq seq = 0;
  Header header;
  Event event;
};

// An entry on its way into the ledger. `time` is already max(previous, now): the engine has evolved with it.
struct NewEntry {
  TimeMs time;
  JobId job;  // zero for facts about the shop
  Event event;
  std::vector<Text> texts;  // stored once each, under their refs
};

// Entries and cursors that become durable together. A cursor is a relay's URL and our clock (DESIGN: gap-free intake).
struct Group {
  std::vector<NewEntry> entries;
  std::vector<std::pair<std::string, TimeMs>> cursors;
};

}  // namespace ledger
