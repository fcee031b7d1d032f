#include "pipeline/net/url_guard.h"

#include <gtest/gtest.h>

#include <boost/url/ipv4_address.hpp>
#include <boost/url/ipv6_address.hpp>
#include <vector>

namespace net {
namespace {

bool is_public(std::string_view text) {
  if (text.find(':') == std::string_view::npos) return is_public_address(boost::urls::ipv4_address(text).to_bytes());
  return is_public_address(boost::urls::ipv6_address(text).to_bytes());
}

TEST(RelayUrl, HasOneNormalForm) {
  struct Case {
    std::string given, normal;
  };
  for (const auto& [given, normal] : {
           Case{"wss://relay.example.com", "wss://relay.example.com"},
           Case{"WSS://Relay.Example.COM/", "wss://relay.example.com"},
           Case{"wss://relay.example.com.", "wss://relay.example.com"},
           Case{"wss://relay.example.com:443", "wss://relay.example.com"},
           Case{"wss://relay.example.com:", "wss://relay.example.com"},
           Case{"ws://relay.example.com:80/", "ws://relay.example.com"},
           Case{"ws://relay.example.com:443", "ws://relay.example.com:443"},
           Case{"wss://relay.example.com:4848/Inbox/?Key=a#part", "wss://relay.example.com:4848/Inbox/?Key=a"},
           Case{"wss://relay.example.com?x", "wss://relay.example.com/?x"},
           Case{"ws://127.0.0.1:7777", "ws://127.0.0.1:7777"},
           Case{"ws://[2001:DB8:0:0:0:0:0:1]:7777/", "ws://[2001:db8::1]:7777"},
           Case{"ws://localhost:7777", "ws://localhost:7777"},
           Case{"wss://my_relay-1.example", "wss://my_relay-1.example"},
       }) {
    const auto url = parse_relay_url(given);
    ASSERT_TRUE(url) << given << ": " << url.error().describe();
    EXPECT_EQ(url->text(), normal);
    EXPECT_EQ(parse_relay_url(normal)->text(), normal);
  }
}

TEST(RelayUrl, TellsTheAdapterWhatToDial) {
  EXPECT_EQ(*parse_relay_url("wss://a.example/in?x=1"),
            (RelayUrl{{.secure = true, .host = "a.example", .port = 443, .target = "/in?x=1"}}));
  EXPECT_EQ(*parse_relay_url("ws://[::1]"), (RelayUrl{{.secure = false, .host = "::1", .port = 80, .target = "/"}}));
}

TEST(RelayUrl, RefusesWhatIsNoRelay) {
  for (const std::string url : {"",
                                "relay.example.com",
                                "https://relay.example.com",
                                "wss:relay.example.com",
                                "wss://",
                                "wss://:80",
                                "wss://user@relay.example.com",
                                "wss://user:word@relay.example.com",
                                "wss://relay..com",
                                "wss://.com",
                                "wss://a b.com",
                                "wss://relay.example.com:0",
                                "wss://relay.example.com:65536",
                                "wss://relay.example.com:x",
                                "wss://bücher.example",
                                "wss://%72elay.example",
                                "wss://a,b",
                                "wss://[::1",
                                "wss://[v1.x]",
                                " wss://a.example",
                                "wss://a.example/\n"}) {
    const auto parsed = parse_relay_url(url);
    ASSERT_FALSE(parsed) << url;
    EXPECT_EQ(parsed.error().code, "relay_url.invalid");
  }
  EXPECT_FALSE(parse_relay_url("wss://" + std::string(64, 'a') + ".example"));
  EXPECT_FALSE(parse_relay_url("wss://a.example/" + std::string(kMaxRelayUrlBytes, 'a')));
}

TEST(RelayUrl, RefusesAddressesInOddForms) {
  for (const std::string url :
       {"ws://2130706433", "ws://127.1", "ws://0x7f.0.0.1", "ws://0x7f000001", "ws://0177.0.0.1", "ws://127.0.0.1.1",
        "ws://127.0.0.256", "ws://127.0.0.0x1", "ws://127.0.0.1.", "ws://1.2.3"}) {
    EXPECT_FALSE(parse_relay_url(url)) << url;
  }
}

TEST(PublicAddress, IsGlobalUnicast) {
  for (const auto* text :
       {"1.1.1.1", "9.255.255.255", "11.0.0.0", "100.63.255.255", "100.128.0.0", "126.255.255.255", "172.15.255.255",
        "172.32.0.0", "192.167.255.255", "198.17.255.255", "198.20.0.0", "223.255.255.255", "2606:4700:4700::1111",
        "2a01:4f8::1", "2001:200::1", "::ffff:8.8.8.8", "64:ff9b::8.8.8.8", "2002:0808:0808::1"}) {
    EXPECT_TRUE(is_public(text)) << text;
  }
}

TEST(PublicAddress, IsNothingElse) {
  for (const auto* text : {"0.0.0.0",
                           "0.1.2.3",
                           "10.0.0.1",
                           "100.64.0.1",
                           "100.127.255.255",
                           "127.0.0.1",
                           "127.255.255.255",
                           "169.254.169.254",
                           "172.16.0.1",
                           "172.31.255.255",
                           "192.0.0.1",
                           "192.0.2.1",
                           "192.88.99.1",
                           "192.168.1.1",
                           "198.18.0.1",
                           "198.19.255.255",
                           "198.51.100.7",
                           "203.0.113.7",
                           "224.0.0.1",
                           "239.255.255.255",
                           "240.0.0.1",
                           "255.255.255.255",
                           "::",
                           "::1",
                           "::7f00:1",
                           "fe80::1",
                           "febf::1",
                           "fec0::1",
                           "fc00::1",
                           "fdff::1",
                           "ff02::1",
                           "2001:db8::1",
                           "2001::1",
                           "2001:2::1",
                           "2001:20::1",
                           "3fff:fff::1",
                           "100::1",
                           "5f00::1",
                           "64:ff9b:1::1",
                           "::ffff:127.0.0.1",
                           "::ffff:10.0.0.1",
                           "64:ff9b::192.168.1.1",
                           "2002:7f00:0001::1",
                           "2002:c0a8:0101::1"}) {
    EXPECT_FALSE(is_public(text)) << text;
  }
  EXPECT_FALSE(is_public_address({}));
  EXPECT_FALSE(is_public_address(std::vector<std::uint8_t>(5, 1)));
}

}  // namespace
}  // namespace net
