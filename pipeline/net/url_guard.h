// What may be dialled: URLs in one normal form, and which addresses belong to the public internet. URLs come from
// strangers; an adapter resolves the host once, asks is_public_address, and connects to that very address. Pure.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "base/result.h"

namespace net {

inline constexpr std::size_t kMaxRelayUrlBytes = 512;

// Where a URL points: whom to connect to, and what to ask for there.
struct UrlParts {
  bool secure = true;      // over TLS
  std::string host;        // lower case; an IP address in its usual form, v6 without brackets
  std::uint16_t port = 0;  // never 0
  std::string target;      // path and query as given; "/" for none
  bool operator==(const UrlParts&) const = default;

  bool host_is_ipv6() const { return host.find(':') != std::string::npos; }
  // The host, v6 in brackets, and the port unless it is the default: 443 with TLS, 80 without.
  std::string authority() const;
};

// A URL of `scheme` ("ws") or its secure form ("wss"; RFC 3986, 9110). Refused: anything else, user names and
// passwords, hosts that are no DNS name or IP address, and IP addresses in forms that resolvers read differently
// (127.1, 0x7f.0.0.1, 2130706433). A fragment is dropped. The error says why.
tl::expected<UrlParts, std::string> parse_url(std::string_view url, std::string_view scheme);

struct RelayUrl : UrlParts {
  // The normal form: scheme and host in lower case, no default port, no slash alone. Two URLs with one form are one
  // relay.
  std::string text() const;
};

// A ws:// or wss:// URL (parse_url says what is refused). Fails with "relay_url.invalid"; the message says why.
base::Result<RelayUrl> parse_relay_url(std::string_view url);

// True for the 4 bytes of an IPv4 or the 16 bytes of an IPv6 address that is global unicast. Not public: loopback,
// private, link-local, shared (CGNAT), unique local, multicast, documentation, benchmarking and reserved ranges (IANA
// special-purpose registries, RFC 6890), and IPv6 addresses that embed such an IPv4 address (v4-mapped, NAT64, 6to4).
bool is_public_address(std::span<const std::uint8_t> address);

}  // namespace net
