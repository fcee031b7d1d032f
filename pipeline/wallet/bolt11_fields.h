// The tagged fields of an invoice: type (one group of five bits), length (two), data. Used by bolt11.cc. Pure.
#pragma once

#include <bitset>
#include <span>

#include "pipeline/wallet/bolt11.h"

namespace wallet {

using Groups = std::vector<std::uint8_t>;  // five bits each
using GroupView = std::span<const std::uint8_t>;

// Big-endian numbers in groups: the shortest form of at least `min_groups`, and back (nothing above 63 bits).
Groups write_bolt11_number(std::uint64_t value, std::size_t min_groups);
std::optional<std::uint64_t> read_bolt11_number(GroupView groups);

// Fills `invoice` field by field.
class Bolt11FieldReader {
 public:
  // All fields, one behind the other. Fails with the reason, "bolt11.<reason>".
  Result<void> read_all(GroupView groups);

  Invoice invoice;
  std::optional<NodeId> payee;  // field `n`

 private:
  Result<bool> read(std::uint8_t type, GroupView data);  // false: the specification says to skip it
  Result<void> check_complete() const;
  template <class Out>
  Result<bool> read_fixed(std::uint8_t type, GroupView data, Out& out);
  Result<bool> read_bytes(std::uint8_t type, GroupView data, std::optional<std::string>& out);
  template <class Number>
  Result<bool> read_number(std::uint8_t type, GroupView data, std::optional<Number>& out);
  Result<bool> read_payee(GroupView data);
  Result<bool> read_description(GroupView data);
  Result<bool> read_fallback(GroupView data);
  Result<bool> read_route(GroupView data);
  Result<bool> read_features(GroupView data);

  std::bitset<32> seen_;
};

// The fields of `invoice`; `payee` is one of them if the invoice names its payee. Fails where no reader could read them
// back.
Result<Groups> write_bolt11_fields(const Invoice& invoice, const NodeId& payee);

}  // namespace wallet
