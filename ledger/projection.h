// A projection turns entries into view rows. Implementations live in replay/, cmd/ registers them as one fixed list.
// Rows are written in the same batch as the entries they come from, so a view is never behind or ahead of its ledger.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "ledger/entry.h"

namespace ledger {

// The rows of one projection, as they will be once the current batch is durable. Keys are private to the projection.
class Rows {
 public:
  virtual ~Rows() = default;
  virtual Result<std::optional<std::string>> get(std::string_view key) = 0;
  virtual void put(std::string_view key, std::string value) = 0;
  virtual void erase(std::string_view key) = 0;
};

class Projection {
 public:
  virtual ~Projection() = default;
  virtual std::string_view name() const = 0;
  // Changes whenever the same entries would give other rows: the ledger then asks for `replay --rebuild-views`.
  virtual std::uint32_t version() const = 0;
  // Pure in effect: rows depend on the entries alone. Entries come in order, each once.
  virtual Result<void> apply(const Entry& entry, Rows& rows) = 0;
};

}  // namespace ledger
