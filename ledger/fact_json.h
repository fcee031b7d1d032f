// Facts as JSON, for export and for people; the bytes, not this, are the ledger. Members have the order and the names
// of the facts' fields() lists; the names carry the unit ("price_msat", "expires_at_ms"); enums by name, bytes as
// lower-case hex. Absent ids and absent optionals are left out; text that is no UTF-8 gets replacement characters, so
// dump() never throws. What a newer version wrote is kept as "unknown_fields", in hex.
#pragma once

#include <nlohmann/json_fwd.hpp>

#include "ledger/entry.h"

namespace ledger {

nlohmann::ordered_json to_json(const Fact& event);

// "type" is the event's name, or the number of a type that this version does not know.
nlohmann::ordered_json to_json(const Header& header);

// {"seq": …, the header's members, "facts": {…}}
nlohmann::ordered_json to_json(const Entry& entry);

}  // namespace ledger
