// fixtures/invoices: invoices of ours with what every reader must find in them; other implementations check them too.
#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "pipeline/wallet/bolt11.h"

using namespace wallet;
using nlohmann::json;

namespace {

json fixtures() {
  return json::parse(std::ifstream(SOURCE_DIR "/fixtures/invoices/invoices.json"));
}

// The fields of an invoice under the names that the fixtures use; what is absent is left out.
json as_json(const DecodedInvoice& invoice) {
  json out = {{"network", name(invoice.network)},
              {"timestamp_s", invoice.timestamp_s},
              {"expires_at_ms", invoice.expires_at().ms},
              {"payment_hash", invoice.payment_hash.hex()},
              {"payment_secret", invoice.payment_secret.hex()},
              {"payee", invoice.payee.hex()},
              {"features", invoice.features}};
  if (invoice.amount) out["amount_msat"] = invoice.amount->value;
  if (invoice.description) out["description"] = *invoice.description;
  if (invoice.description_hash) out["description_hash"] = invoice.description_hash->hex();
  if (invoice.metadata) out["metadata"] = base::to_hex(*invoice.metadata);
  if (invoice.expiry_s) out["expiry_s"] = *invoice.expiry_s;
  if (invoice.min_final_cltv_expiry) out["min_final_cltv_expiry"] = *invoice.min_final_cltv_expiry;
  for (const auto& [version, program] : invoice.fallbacks) {
    out["fallbacks"].push_back({{"version", version}, {"program", base::to_hex(program)}});
  }
  for (const auto& route : invoice.routes) {
    json hops;
    for (const RouteHop& hop : route) {
      hops.push_back({{"node", hop.node.hex()},
                      {"short_channel_id", hop.short_channel_id},
                      {"fee_base_msat", hop.fee_base_msat},
                      {"fee_proportional_millionths", hop.fee_proportional_millionths},
                      {"cltv_expiry_delta", hop.cltv_expiry_delta}});
    }
    out["routes"].push_back(hops);
  }
  return out;
}

TEST(InvoiceFixtures, HoldWhatTheySay) {
  const json all = fixtures();
  ASSERT_EQ(all.at("invoices").size(), 6u);
  for (const json& fixture : all.at("invoices")) {
    SCOPED_TRACE(fixture.at("title").get<std::string>());
    const auto invoice = decode_bolt11(fixture.at("bolt11").get<std::string>());
    ASSERT_TRUE(invoice) << invoice.error().describe();
    EXPECT_EQ(as_json(*invoice), fixture.at("fields"));
  }
}

TEST(InvoiceFixtures, AreWhatWeWrite) {
  const json all = fixtures();
  const auto key = *NodeKey::from_hex(all.at("node_key").get<std::string>());
  for (const json& fixture : all.at("invoices")) {
    const auto bolt11 = fixture.at("bolt11").get<std::string>();
    EXPECT_EQ(encode_bolt11(decode_bolt11(bolt11).value(), key), bolt11);
  }
}

}  // namespace
