// JSON-RPC 2.0 as text. Pure.
#pragma once

#include <optional>

#include "pipeline/wallet/links/rpc.h"

namespace wallet {

inline constexpr std::size_t kMaxRpcBytes = 4 * 1024 * 1024;  // of one message

struct RpcMessage {
  std::optional<std::uint64_t> id;  // of the call that it answers; none: a notification
  RpcReply reply;
  std::string method;
  std::string params;
};

std::string to_json(std::uint64_t id, const RpcCall& call);
// Fails with "wallet.malformed".
base::Result<RpcMessage> parse_rpc(std::string_view text);

}  // namespace wallet
