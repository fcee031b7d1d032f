#include "pipeline/wallet/links/rpc_message.h"

#include "pipeline/wallet/replies.h"

namespace wallet {
namespace {

std::string written(const Json& value) {
  return value.dump(-1, ' ', false, Json::error_handler_t::replace);
}

}  // namespace

std::string to_json(std::uint64_t id, const RpcCall& call) {
  return R"({"jsonrpc":"2.0","id":)" + std::to_string(id) + R"(,"method":)" + Json(call.method).dump() +
         R"(,"params":)" + call.params + "}";
}

base::Result<RpcMessage> parse_rpc(std::string_view text_of_it) {
  const auto said = parse(text_of_it);
  if (!said) return tl::unexpected(said.error());
  if (!said->is_object()) return malformed("no JSON-RPC");
  RpcMessage out{.method = text(*said, "method")};
  if (const auto id = integer(*said, "id"); id && *id >= 0) out.id = static_cast<std::uint64_t>(*id);
  if (!out.id && out.method.empty()) return malformed("no JSON-RPC");
  const Json& error = member(*said, "error");
  if (error.is_object()) {
    out.reply = {.error_code = integer(error, "code").value_or(0), .error = text(error, "message")};
  } else if (said->contains("result")) {
    out.reply.result = written((*said)["result"]);
  }
  if (said->contains("params")) out.params = written((*said)["params"]);
  return out;
}

}  // namespace wallet
