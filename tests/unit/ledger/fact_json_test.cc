// Facts as JSON: every field under its name, readable by people and programs.
#include "ledger/fact_json.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "tests/unit/ledger/filled.h"

namespace ledger {
namespace {

using base::sha256;

TEST(EventJson, HasEveryFieldUnderItsNameAndInItsOrder) {
  InvoiceIssued event;
  event.purpose = InvoicePurpose::job;
  event.attempt = 1;
  event.wallet = "sandbox";
  event.bolt11 = "lnbc1";
  event.payment_hash.bytes.fill(0xab);
  event.amount = Msat{9000};
  event.expires_at = TimeMs{1'795'000'000'000};
  EXPECT_EQ(
      to_json(Fact(event)).dump(),
      R"({"purpose":"job","attempt":1,"wallet":"sandbox","bolt11":"lnbc1","payment_hash":")" +
          event.payment_hash.hex() +
          R"(","amount_msat":9000,"expires_at_ms":1795000000000,"reference":"","hold":false,"wallet_account":""})");
}

TEST(EventJson, WritesListsAndPartsAsTheyAre) {
  RequestsDropped dropped;
  dropped.from = TimeMs{1};
  dropped.until = TimeMs{2};
  dropped.counts = {{.reason = "bad_signature", .count = 3}};
  EXPECT_EQ(to_json(Fact(dropped)).dump(),
            R"({"from_ms":1,"until_ms":2,"counts":[{"reason":"bad_signature","count":3,"keys":0}]})");
  EXPECT_EQ(to_json(Fact(RequestsDropped{})).dump(), R"({"from_ms":0,"until_ms":0,"counts":[]})");
}

TEST(EventJson, LeavesOutWhatIsAbsent) {
  const auto json = to_json(Fact(JobRequested{}));
  for (const char* absent : {"request", "customer", "bid_msat", "expires_at_ms", "fault", "unknown_fields"}) {
    EXPECT_FALSE(json.contains(absent)) << absent;
  }
  EXPECT_EQ(json["relay"], "");
  EXPECT_EQ(json["params"]["stop"].size(), 0u);
  const auto free_of_charge = to_json(Fact(JobRequested{.bid = Msat{0}}));
  EXPECT_EQ(free_of_charge["bid_msat"], 0) << "an optional that is set to zero is not absent";
}

TEST(EventJson, HasAMemberForEveryFieldOfEveryEvent) {
  for (const Fact& event : every_event_filled()) {
    const std::size_t fields =
        std::visit([]<class T>(const T&) { return std::tuple_size_v<decltype(T::fields())>; }, event);
    EXPECT_EQ(to_json(event).size(), fields) << type_name(type_of(event));
  }
}

TEST(EventJson, KeepsWhatANewerVersionWrote) {
  EXPECT_EQ(to_json(Fact(WentOffline{.reason = "drained", .unknown_fields = "\x01\xff"})).dump(),
            R"({"reason":"drained","unknown_fields":"01ff"})");
  EXPECT_EQ(to_json(Fact(NoticePublished{.purpose = static_cast<NoticePurpose>(99)}))["purpose"], 99);
}

TEST(EventJson, CanBePrintedWhateverBytesCameIn) {
  EXPECT_EQ(to_json(Fact(WentOffline{.reason = "caf\xc3\xa9"})).dump(), "{\"reason\":\"caf\xc3\xa9\"}");
  EXPECT_EQ(to_json(Fact(WentOffline{.reason = "caf\xe9!"})).dump(), "{\"reason\":\"caf\xef\xbf\xbd!\"}");
}

TEST(EntryJson, IsTheHeaderAndTheFacts) {
  const Fact event = WentOnline{.version = "1.0"};
  const Header header{.format_version = 1, .type = type_of(event), .time = {5}, .facts_sha256 = sha256("facts")};
  const std::string header_members =
      R"("format_version":1,"type":"WentOnline","time_ms":5,"facts_sha256":")" + header.facts_sha256.hex() + '"';
  EXPECT_EQ(to_json(header).dump(), "{" + header_members + "}");
  EXPECT_EQ(to_json(Entry{7, header, event}).dump(),
            R"({"seq":7,)" + header_members + R"(,"facts":{"version":"1.0"}})");
  EXPECT_EQ(to_json(Header{.type = 999})["type"], 999) << "of a newer version";
}

}  // namespace
}  // namespace ledger
