// The field lists of all facts as a protobuf schema: what another program needs to read the ledger's bytes.
#pragma once

#include <string>

namespace ledger {

// The whole .proto file (proto3, package sellcompute.ledger.v1): Header, the numbers of the event types, and a message
// for each event, after the enums and messages that it uses. Enum values are our names in protobuf's style:
// result_first of PaymentMode is PAYMENT_MODE_RESULT_FIRST.
std::string proto_schema();

}  // namespace ledger
