// Who is asked, of those that announce themselves.
#include "cmd/customer/market.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <chrono>
#include <limits>
#include <thread>

#include "pipeline/loopback/loopback_relay.h"

namespace cmd {
namespace {

using base::Msat;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr std::int64_t kMarketTimeS = 1'763'800'000;
constexpr base::TimeMs kMarketTime{kMarketTimeS * 1000};

nostr::SecretKey seller_key(char byte) {
  return *nostr::SecretKey::from_bytes(std::string(32, byte));
}

nostr::AnnouncedModel model(const std::string& name, std::int64_t base_msat) {
  return {name, ledger::ModelOffer{.name = name,
                                   .base = {base_msat},
                                   .input_per_1k_tokens = {2'000},
                                   .output_per_1k_tokens = {10'000},
                                   .max_output_tokens = 512}};
}

nostr::Event announced(char seller, std::vector<nostr::AnnouncedModel> models, std::int64_t at_s = kMarketTimeS,
                       std::vector<std::uint32_t> kinds = {5050}) {
  auto event = *nostr::updated_announcement({.provider = seller_key(seller).public_key(),
                                             .d = "shop",
                                             .kinds = std::move(kinds),
                                             .encryption = seller == 1,
                                             .models = std::move(models)},
                                            nullptr);
  event.created_at_s = at_s;
  return nostr::sign(std::move(event), seller_key(seller), {});
}

nostr::Event heartbeat(char seller, std::int64_t at_s = kMarketTimeS, const std::string& d = "shop") {
  return nostr::sign(nostr::heartbeat(d, at_s), seller_key(seller), {});
}

// The sellers in their order; those that do not suit in negative numbers.
std::vector<int> ranked(const MarketNews& news, const Need& need = {}) {
  std::vector<int> out;
  for (const Seller& seller : rank_sellers(news, need, kMarketTime)) {
    for (const char byte : {1, 2, 3, 4}) {
      if (seller.announcement.provider == seller_key(byte).public_key()) out.push_back(seller.suits ? byte : -byte);
    }
  }
  return out;
}

TEST(RankSellers, TheCheapestFirstAndUnknownPricesLast) {
  EXPECT_THAT(ranked({{announced(1, {model("llama3.2", 3'000)}), announced(2, {{"llama3.2", {}}}),
                       announced(3, {model("llama3.2", 1'000)})},
                      {}}),
              ElementsAre(3, 1, 2));
}

TEST(RankSellers, AModelIsFoundWithAndWithoutItsDefaultTag) {
  const MarketNews news{{announced(1, {model("llama3.2:latest", 3'000)}), announced(2, {model("llama3.2", 2'000)}),
                         announced(3, {model("llama3.2:1b", 1'000)})},
                        {}};
  EXPECT_THAT(ranked(news, {.model = "llama3.2"}), ElementsAre(2, 1, -3));
  EXPECT_THAT(ranked(news, {.model = "llama3.2:latest"}), ElementsAre(2, 1, -3));
  EXPECT_THAT(ranked(news, {.model = "llama3.2:1b"}), testing::Contains(3));
}

TEST(RankSellers, ThePriceIsThatOfTheQuestion) {
  const MarketNews news{{announced(1, {model("llama3.2", 1'000)})}, {}};
  const auto price = [&](std::uint64_t input, std::uint64_t output) {
    return rank_sellers(news, {.input_tokens = input, .output_tokens = output}, kMarketTime).at(0).price;
  };
  EXPECT_EQ(price(0, 0), Msat{1'000});
  EXPECT_EQ(price(500, 100), Msat{1'000 + 1'000 + 1'000});
  EXPECT_EQ(price(0, 1'000'000), Msat{1'000 + 5'120}) << "no answer is longer than the seller's cap";
}

TEST(RankSellers, NoPriceIsTooHighToBeCompared) {
  auto dear = model("llama3.2", nostr::kMaxAnnouncedPriceMsat);
  dear.offer->output_per_1k_tokens = {nostr::kMaxAnnouncedPriceMsat};
  dear.offer->max_output_tokens = 0;
  const Need need{.input_tokens = 48 * 1024, .output_tokens = std::numeric_limits<std::uint64_t>::max()};
  EXPECT_THAT(ranked({{announced(1, {dear}), announced(2, {model("llama3.2", 1'000)})}, {}}, need), ElementsAre(2, 1));
}

TEST(RankSellers, WhoServesTheModelComesBeforeWhoIsCheaper) {
  const MarketNews news{{announced(1, {model("llama3.2", 1'000)}),
                         announced(2, {model("llama3.2", 100), model("qwen3:8b", 5'000)}), announced(3, {})},
                        {}};
  EXPECT_THAT(ranked(news, {.model = "qwen3:8b"}), ElementsAre(2, testing::Lt(0), testing::Lt(0)));
  EXPECT_EQ(rank_sellers(news, {.model = "qwen3:8b", .output_tokens = 0}, kMarketTime).at(0).price, Msat{5'000});
  EXPECT_THAT(ranked(news), ElementsAre(2, 1, 3)) << "without a model, the seller's first is priced";
}

TEST(RankSellers, WhoIsAliveComesBeforeWhoIsCheaper) {
  MarketNews news{{announced(1, {model("llama3.2", 1'000)}), announced(2, {model("llama3.2", 2'000)}),
                   announced(3, {model("llama3.2", 3'000)}), announced(4, {model("llama3.2", 4'000)})},
                  {heartbeat(1, kMarketTimeS - kMaxSilenceS - 1), heartbeat(3),
                   heartbeat(2, kMarketTimeS, "another shop"), heartbeat(4, kMarketTimeS - kMaxSilenceS)}};
  EXPECT_THAT(ranked(news), ElementsAre(3, 4, 1, 2));
}

TEST(RankSellers, AHeartbeatOfAnotherDayIsNone) {
  const MarketNews news{{announced(1, {model("llama3.2", 1'000)}), announced(2, {model("llama3.2", 2'000)})},
                        {heartbeat(1, kMarketTimeS + kMaxSilenceS + 1), heartbeat(2, kMarketTimeS + kMaxSilenceS)}};
  EXPECT_THAT(ranked(news), ElementsAre(2, 1));
}

TEST(RankSellers, AnEncryptedQuestionNeedsWhoReadsIt) {
  const MarketNews news{{announced(1, {model("llama3.2", 5'000)}), announced(2, {model("llama3.2", 1'000)})}, {}};
  EXPECT_THAT(ranked(news, {.encryption = true}), ElementsAre(1, -2));
}

TEST(RankSellers, TheNewestAnnouncementCounts) {
  const auto old = announced(1, {model("llama3.2", 1'000)}, kMarketTimeS - 100);
  const auto fresh = announced(1, {model("llama3.2", 7'000)}, kMarketTimeS);
  for (const auto& events : {std::vector{old, fresh}, std::vector{fresh, old, fresh}}) {
    const auto sellers = rank_sellers({events, {}}, {.output_tokens = 0}, kMarketTime);
    ASSERT_EQ(sellers.size(), 1u);
    EXPECT_EQ(sellers[0].price, Msat{7'000});
  }
}

TEST(RankSellers, WhoSellsSomethingElseIsNoSeller) {
  EXPECT_THAT(ranked({{announced(1, {model("flux", 1'000)}, kMarketTimeS, {5100})}, {}}), IsEmpty());
  const auto withdrawn = announced(1, {}, kMarketTimeS, {});
  EXPECT_THAT(ranked({{announced(1, {model("llama3.2", 1'000)}, kMarketTimeS - 100), withdrawn}, {}}), IsEmpty());
}

// ---- the relays -----------------------------------------------------------------------------------------------------

// Time-outs pass in it.
base::TimeMs real_clock() {
  using namespace std::chrono;
  return {duration_cast<milliseconds>(system_clock::now().time_since_epoch()).count()};
}

// A relay on a thread of its own: reading the market blocks.
class ReadMarket : public testing::Test {
 protected:
  ~ReadMarket() override { stop(); }
  void stop() {
    io.stop();
    if (thread.joinable()) thread.join();
  }
  void start() {
    thread = std::thread([this] { io.run(); });
  }

  boost::asio::io_context io;
  boost::asio::executor_work_guard<boost::asio::io_context::executor_type> work = boost::asio::make_work_guard(io);
  loopback::LoopbackRelay relay{io};
  std::thread thread;
};

TEST_F(ReadMarket, FindsAnnouncementsAndTheHeartbeatsOfTheirAuthors) {
  const std::int64_t now_s = real_clock().ms / 1000;
  const auto announcement = announced(1, {model("llama3.2", 1'000)});
  relay.inject(announcement);
  relay.inject(announced(4, {model("llama3.2", 1'000)}));
  relay.inject(announced(2, {model("flux", 1'000)}, kMarketTimeS, {5100}));
  relay.inject(heartbeat(1, now_s));
  relay.inject(heartbeat(3, now_s));
  relay.inject(heartbeat(4, now_s - 10'000));
  start();
  const auto news = read_market({relay.url(), "ws://127.0.0.1:1"}, seller_key(9), real_clock);
  ASSERT_TRUE(news) << news.error().describe();
  EXPECT_THAT(news->announcements,
              testing::UnorderedElementsAre(announcement, announced(4, {model("llama3.2", 1'000)})));
  EXPECT_THAT(news->heartbeats, ElementsAre(heartbeat(1, now_s)));
}

TEST_F(ReadMarket, AnEmptyMarketIsNoFailureAndNoRelayIsOne) {
  start();
  const auto empty = read_market({relay.url()}, seller_key(9), real_clock);
  ASSERT_TRUE(empty);
  EXPECT_THAT(empty->announcements, IsEmpty());
  const auto nowhere = read_market({"ws://127.0.0.1:1"}, seller_key(9), real_clock);
  ASSERT_FALSE(nowhere);
  EXPECT_EQ(nowhere.error().code, "request.unreachable");
  EXPECT_THAT(nowhere.error().context, HasSubstr("ws://127.0.0.1:1"));
}

}  // namespace
}  // namespace cmd
